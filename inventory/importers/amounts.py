"""Amounts as people write them: text in, integers out, nothing assumed silently. Pure; used by the field shapes."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from itertools import groupby
from types import MappingProxyType

_AMOUNT = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,6}))?\s*([A-Za-z兆吉太]*)字?节?")
_WHOLE = re.compile(r"([0-9]{1,9})\s*(.{0,8})")
_FIXED = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?\s*(.{0,8})")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_CHINESE_DATE = re.compile(r"([0-9]{4})\s*年\s*([0-9]{1,2})\s*月\s*([0-9]{1,2})\s*日")

#: MiB in one of each unit; powers of two throughout, as memory and disks are made.
MIB_PER_UNIT: Mapping[str, int] = {"mib": 1, "gib": 1024, "tib": 1024 * 1024}
#: What people write for them; the reader says which unit it took.
_LOOSE_UNITS = {
    "m": "mib",
    "mb": "mib",
    "兆": "mib",
    "g": "gib",
    "gb": "gib",
    "吉": "gib",
    "t": "tib",
    "tb": "tib",
    "太": "tib",
}
#: What stands behind amounts of money, in yuan.
MONEY: Mapping[str, int] = MappingProxyType({"元": 1, "万元": 10_000})
_UNIT_NAMES = {"mib": "MiB", "gib": "GiB", "tib": "TiB"}


def fold(text: str) -> str:
    """Return ``text`` with full-width letters and digits made plain, without space around it.

    Numbers that are no digits (``²``, ``½``, ``①``) stay: made plain, ``1²`` would be twelve.
    """
    runs = groupby(text, key=lambda char: unicodedata.category(char) == "No")
    parts = ((is_kept, "".join(run)) for is_kept, run in runs)
    return "".join(part if is_kept else unicodedata.normalize("NFKC", part) for is_kept, part in parts).strip()


def whole(text: str, suffixes: Sequence[str] = ()) -> int | None:
    """Return the whole number in ``text``, which may carry one of ``suffixes`` (4核, 2台); None if it is none."""
    match = _WHOLE.fullmatch(fold(text))
    if match is None or (match[2] and match[2].casefold() not in {s.casefold() for s in suffixes}):
        return None
    return int(match[1])


def mib(text: str) -> tuple[int, str] | None:
    """Return an amount of memory or disk in MiB, and the unit that was assumed for a loose one (else empty).

    None if there is no amount, no unit or a fraction of a MiB.
    """
    match = _AMOUNT.fullmatch(fold(text))
    if match is None:
        return None
    written = match[3].casefold()
    unit = _LOOSE_UNITS.get(written, written)
    if unit not in MIB_PER_UNIT:
        return None
    digits = match[2] or ""
    scaled = int(match[1] + digits) * MIB_PER_UNIT[unit]
    amount, rest = divmod(scaled, 10 ** len(digits))
    return None if rest else (amount, _UNIT_NAMES[unit] if unit != written else "")


def fixed_point(text: str, places: int, units: Mapping[str, int] = MappingProxyType({})) -> int | None:
    """Return a decimal in units of ten to the minus ``places``, exactly; None if it is none or has more places.

    Args:
        text: what was written.
        places: how many places are kept.
        units: units that may stand behind it, with what each is worth, for example ``MONEY``.
    """
    match = _FIXED.fullmatch(fold(text))
    if match is None or (match[3] and match[3] not in units):
        return None
    digits = match[2] or ""
    return None if len(digits) > places else int(match[1] + digits) * units.get(match[3], 1) * 10 ** (places - len(digits))


def calendar_date(text: str) -> date | None:
    """Return the day written as ``2027-02-28`` or ``2027年2月28日``; None if it is none or does not exist."""
    match = _ISO_DATE.fullmatch(fold(text)) or _CHINESE_DATE.fullmatch(fold(text))
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def nearest_first(word: str, offered: Sequence[str], max_count: int = 12) -> tuple[str, str]:
    """Return the word of ``offered`` that was probably meant (or empty), and all of them for a message, nearest first."""
    plain = {name.casefold().replace("_", "-"): name for name in reversed(offered)}
    typed = fold(word)[:64].casefold().replace("_", "-")
    # Half of a two-character Chinese word is as telling as three fifths of a longer one.
    cutoff = 0.5 if len(typed) <= 3 else 0.6
    close = [plain[key] for key in get_close_matches(typed, list(plain), n=3, cutoff=cutoff)]
    ordered = [*close, *(name for name in offered if name not in close)]
    shown = "、".join(ordered[:max_count])
    return (close[0] if close else ""), shown + (" …" if len(ordered) > max_count else "")
