"""Whatever bytes come in: the readers answer, or refuse with ``Invalid``; and equal wishes have equal specs."""

import random
import time
from collections.abc import Callable
from datetime import date
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.tickets import aliases
from controller.tickets.language import TicketDocument, parse_ticket
from controller.tickets.plan import diff
from controller.tickets.resolve import resolve_create
from inventory.domain.errors import Invalid, Problem
from inventory.domain.system import SystemSpec
from inventory.importers.amounts import calendar_date, fixed_point, fold, mib, whole
from inventory.importers.document import MAX_PROBLEMS, Document, read_document
from inventory.importers.site import parse_site
from tests.support.tickets import DIRECTORY, EXAMPLES, PORTAL, TODAY, parse, stored

ReadT = TypeVar("ReadT")
SEEDS = [p.read_bytes() for p in sorted(EXAMPLES.glob("*.yaml"))]
#: What YAML and people's slips are made of.
ALPHABET = st.sampled_from(
    [
        *"abz019:-,[]{}&*!|>'\"#%@` \n\t?~\\.：，“”【】（）\u3000\u200b\x00\x1b\x85é门户",
        "<<",
        "---\n",
        "...\n",
        "? ",
        ": ",
        "- ",
        "\r\n",
    ]
)
YAMLISH = st.lists(ALPHABET, max_size=60).map("".join)
LONG = settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])


def attempt(act: Callable[[], ReadT]) -> tuple[ReadT | None, tuple[Problem, ...]]:
    """Return what was read, or why not; any other error fails the test by itself."""
    try:
        return act(), ()
    except Invalid as refused:
        return None, refused.problems


def read(data: bytes) -> Document | None:
    document, problems = attempt(lambda: read_document(data))
    assert (document is None) == bool(problems)
    assert len(problems) <= MAX_PROBLEMS + 1
    assert all(p.code.startswith("document.") for p in problems)
    return document


def ticket(data: bytes) -> TicketDocument | None:
    found, problems = attempt(lambda: parse_ticket(data, today=TODAY))
    assert all(p.code.split(".")[0] in ("document", "ticket") for p in problems)
    assert all(p.where is not None or p.code in _PLACELESS for p in problems)
    return found


#: Problems of the document as a whole.
_PLACELESS = {"document.too_large", "document.too_many_values", "document.more_problems"}


@LONG
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read(data)


@LONG
@given(YAMLISH)
def test_any_yaml_like_text_is_read_or_refused(text: str) -> None:
    document = read(text.encode())
    if document is not None:
        assert all(where.line and where.column for where in document.places().values())


@LONG
@given(st.sampled_from(SEEDS), st.integers(0, 3000), st.integers(0, 30), YAMLISH)
def test_any_damage_to_an_example_is_read_or_refused(seed: bytes, at: int, length: int, put: str) -> None:
    text = seed.decode()
    damaged = (text[:at] + put + text[at + length :]).encode()
    ticket(damaged)
    site, problems = attempt(lambda: parse_site(damaged))
    assert (site is None) == bool(problems)


@LONG
@given(st.sampled_from(SEEDS), st.data())
def test_any_line_of_an_example_may_be_lost_or_moved(seed: bytes, data: st.DataObject) -> None:
    lines = seed.decode().splitlines(keepends=True)
    kept = data.draw(st.lists(st.sampled_from(lines), max_size=len(lines)))
    ticket("".join(kept).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 200_000,
        b"{" * 200_000,
        b"? " * 100_000,
        b"- " * 100_000,
        b"a: " * 80_000,
        b"&a " * 80_000,
        b"!x " * 80_000,
        b'"' * 200_000,
        b"'" * 200_000,
        b"a" * 200_000,
        ("：" * 80_000).encode(),
        ("a: x" + "，" * 80_000).encode(),
        b"k: |\n" + b" x\n" * 60_000,
        b"\n" * 200_000 + b"a: 1",
        b"#" * 200_000,
        b"a: " + b"x\n " * 60_000,
        ("\u200b" * 80_000).encode(),
        b"\x00" * 200_000,
        b"[" + b"x," * 100_000,
        "\n".join(f"k{i}: &x 1" for i in range(15_000)).encode(),
        "\n".join(f"k{i}：1" for i in range(15_000)).encode(),
    ],
    ids=lambda data: f"{data[:12]!r}",
)
def test_the_worst_documents_are_answered_in_bounded_time(data: bytes) -> None:
    began = time.process_time()
    read(data)
    ticket(data)
    # Generous: the point is that nothing grows with the square of the size.
    assert time.process_time() - began < 5


@LONG
@given(st.text(max_size=60))
def test_amounts_of_any_text_never_fail_otherwise(text: str) -> None:
    for number in (whole(text, ("核",)), fixed_point(text, 6)):
        assert number is None or number >= 0
    amount = mib(text)
    assert amount is None or amount[0] >= 0
    day = calendar_date(text)
    assert day is None or isinstance(day, date)
    assert fold(fold(text)) == fold(text)


@given(st.integers(0, 10**9 - 1), st.integers(0, 999_999))
def test_prices_are_exact(yuan: int, micro: int) -> None:
    assert fixed_point(f"{yuan}.{micro:06d}", 6) == yuan * 1_000_000 + micro


_NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
_SERVERS = st.lists(
    st.fixed_dictionaries(
        {"name": _NAMES, "count": st.integers(1, 40), "size": st.sampled_from(["tiny", "small"])},
        optional={
            "spread": st.sampled_from(sorted(aliases.SPREADS)),
            "spread-max": st.integers(1, 9),
            "disks": st.lists(
                st.fixed_dictionaries({"name": _NAMES.map(lambda n: n[:20].strip("-")), "gib": st.integers(1, 500)}),
                max_size=3,
                unique_by=lambda d: d["name"],
            ),
        },
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda s: s["name"],
)


def written(servers: list[dict[str, object]], *, chinese: bool) -> str:
    """Return the portal with these servers, in English or in Chinese spelling."""
    path = "resources.servers"

    def key(name: str) -> str:
        return aliases.KEYS[f"{path}.{name}"] if chinese else name.rpartition(".")[2]

    items = []
    for server in servers:
        size, spread = str(server["size"]), str(server.get("spread", "none"))
        parts = [f"{key('name')}: {server['name']}", f"{key('count')}: {server['count']}{'台' if chinese else ''}"]
        parts += [
            f"{key('size')}: {aliases.SIZES[size] if chinese else size}",
            f"{key('image')}: {'演示系统' if chinese else 'demo-linux'}",
        ]
        parts += [f"{key('spread')}: {aliases.SPREADS[spread] if chinese else spread}"]
        if "spread-max" in server and spread != "none" and "same-" not in spread:
            parts += [f"{key('spread-max')}: {server['spread-max']}{'台' if chinese else ''}"]
        disks = server.get("disks", [])
        assert isinstance(disks, list)
        inner = [f"{{{key('disks.name')}: {d['name']}, {key('disks.size')}: {d['gib']}GiB}}" for d in disks]
        parts += [f"{key('disks')}: [{', '.join(inner)}]"]
        items.append("{" + ", ".join(parts) + "}")
    head = PORTAL.split("resources:")[0]
    top, inner_key = ("资源", "服务器") if chinese else ("resources", "servers")
    return f"{head}{top}: {{{inner_key}: [{', '.join(items)}]}}\n"


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(_SERVERS, st.randoms(use_true_random=False))
def test_language_and_order_do_not_change_the_meaning(servers: list[dict[str, object]], source: random.Random) -> None:
    english = resolve_create(parse(written(servers, chinese=False)), DIRECTORY)
    shuffled = list(servers)
    source.shuffle(shuffled)
    chinese = resolve_create(parse(written(shuffled, chinese=True)), DIRECTORY)
    assert english == chinese
    assert english.digest() == chinese.digest()
    assert SystemSpec.from_json(english.to_json()) == english
    assert diff(stored(english), chinese, "change") == ()
    machines = sum(s.count for s in english.servers)
    assert sum(c.kind == "instance" for c in diff(None, english, "create")) == machines
    assert len({c.member for c in diff(None, english, "create")}) == machines + sum(
        s.count * len(s.disks) for s in english.servers
    )


def test_the_same_bytes_are_the_same_document() -> None:
    for seed in SEEDS:
        if b"kind: Site" not in seed:
            assert parse(seed) == parse(seed)
