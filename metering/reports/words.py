"""What meters, units and kinds of rows are called, and how much of a unit a row is: for statements people read. Pure.

``Say`` looks a code of the catalogue up in the reader's language; a meter and a unit each have one.
"""

from collections.abc import Callable, Mapping
from typing import Any

from metering.lines import CHARGED, Kind
from metering.meters import Counting, meter_of

#: A code of the catalogue -> the word in the reader's language.
Say = Callable[[str], str]


def meter_word(meter: str, say: Say) -> str:
    """Return what a meter is called, ``disk (standard)`` for ``disk_gib:standard``."""
    base, _, kind = meter.partition(":")
    word = say(f"report.word.meter_{base}")
    return f"{word} ({kind})" if kind else word


def base_unit_word(meter: str, say: Say) -> str:
    """Return what the amounts of a meter are counted in, ``MiB`` of memory."""
    return say(f"report.word.base_{meter.partition(':')[0]}")


def unit_word(unit: str, say: Say) -> str:
    """Return what a priced unit is called, with its time where it is of time: ``GiB·h``."""
    return "·".join(say(f"report.word.unit_{part.lower()}") for part in unit.split("·")) if unit else ""


def kind_word(kind: str, say: Say) -> str:
    """Return what a kind of rows is called."""
    return say(f"report.word.kind_{kind}")


def billing_word(billing: str, say: Say) -> str:
    """Return how something is billed."""
    return say("report.word.billing_chargeback" if billing == CHARGED else "report.word.billing_showback")


def priced_quantity(row: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return thousandths of priced units of a statement's row, rounded half up, and that unit; ``None`` for corrections.

    A row counts base units × seconds: 259,200,000 of a disk are 72,000.000 ``GiB·h``.
    """
    if row["kind"] in (Kind.ADJUSTMENT, Kind.CORRECTION):
        return None
    meter = meter_of(row["meter"])
    is_timed = meter.counting is Counting.LEVEL
    over = meter.base_per_unit * (3600 if is_timed else 1)
    thousandths = (2 * int(row["quantity"]) * 1000 + over) // (2 * over)
    return thousandths, f"{meter.unit}·h" if is_timed else meter.unit


def priced_texts(row: Mapping[str, Any]) -> dict[str, str | None]:
    """Return quantity and unit as fields of files and answers."""
    found = priced_quantity(row)
    if found is None:
        return {"priced_quantity": None, "priced_unit": None}
    return {"priced_quantity": f"{found[0] // 1000}.{found[0] % 1000:03d}", "priced_unit": found[1]}
