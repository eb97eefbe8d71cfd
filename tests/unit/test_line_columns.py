"""Lines as columns: the same lines come back from their bytes, and bytes that are none are said to be none."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.line_columns import Legend, LineColumns, OwnerKey, UnreadableLinesError, from_bytes, joined, merged
from metering.lines import Kind, Line

PERIOD = "2026-05"
WORDS = ("", "late word of 2026-04", "项目 a,b", '"quoted"\tand more')
EDGES = (0, 1, 255, 256, 65_536, 1 << 32, (1 << 63) - 1, -1, -(1 << 63))


def one(source: random.Random, department: str) -> Line:
    figures = [source.choice(EDGES) if source.random() < 0.3 else source.randrange(300) for _ in range(9)]
    kind = source.choice((Kind.USAGE, Kind.CORRECTION))
    amount, start, end, opened, closed, price, points, listed, billed = figures
    return Line(
        kind, department or source.choice(("dept_a", "dept_b")), source.choice(("proj_a", "proj_b")), "sys_a",
        f"inst_{source.randrange(4)}", source.choice(("vcpu", "memory_mib")), "running", amount, start, end, opened, closed,
        "book", price, points, listed, billed, source.choice(WORDS), source.choice(WORDS),
    )  # fmt: skip


def some_lines(department: str = "") -> st.SearchStrategy[list[Line]]:
    """Lists of up to a dozen lines, with figures at the ends of every width."""

    def made(seed: int) -> list[Line]:
        source = random.Random(seed)
        return [one(source, department) for _ in range(source.randrange(13))]

    return st.integers(0, 1 << 40).map(made)


def pairs(lines: list[Line]) -> list[tuple[bytes, Line]]:
    return [(x.id_in(PERIOD), x) for x in lines]


@settings(deadline=None)
@given(some_lines("dept_a"))
def test_lines_come_back_from_their_bytes(lines: list[Line]) -> None:
    columns = Legend(PERIOD).columns(lines)
    assert list(columns.rows()) == pairs(lines)
    kept = columns.compact()
    assert list(from_bytes("dept_a", kept.ids.tobytes(), kept.to_bytes()).rows()) == pairs(lines)


@settings(deadline=None)
@given(some_lines(), st.integers(0, 1 << 40))
def test_the_same_lines_are_the_same_bytes_in_whatever_order_they_came(lines: list[Line], seed: int) -> None:
    shuffled = lines[:]
    random.Random(seed).shuffle(shuffled)
    found = [
        {d: (own.ids.tobytes(), own.compact().to_bytes()) for d, own in Legend(PERIOD).columns(some).in_order()}
        for some in (lines, shuffled)
    ]
    assert found[0] == found[1]


@settings(deadline=None)
@given(some_lines(), some_lines())
def test_lines_leave_by_department_and_id(some: list[Line], others: list[Line]) -> None:
    legend = Legend(PERIOD)
    whole = joined([legend.columns(some), legend.columns(others)], legend)
    found = [(department, row) for department, own in whole.in_order() for row in own.rows()]
    assert found == sorted((x.department_id, (id_, x)) for id_, x in pairs([*some, *others]))


@settings(deadline=None)
@given(some_lines(), some_lines())
def test_blocks_merge_and_sums_are_exact(some: list[Line], others: list[Line]) -> None:
    whole = merged([Legend(PERIOD).columns(some).compact(), Legend(PERIOD).columns(others).compact()])
    assert list(whole.rows()) == pairs([*some, *others])
    sums: dict[OwnerKey, int] = {}
    for owner, micro in zip(whole.owners, whole.sums_of_owners(), strict=True):
        sums[owner] = sums.get(owner, 0) + micro
    for owner, micro in sums.items():
        assert micro == sum(x.micro_yuan for x in [*some, *others] if x[1:5] == owner)


def block() -> LineColumns:
    lines = [
        Line(Kind.USAGE, "dept_a", "p", "s", f"inst_{n}", "vcpu", "running", n, n, n + 9, 1, 2, "b", 3, 4, 5, 6) for n in range(4)
    ]
    return Legend(PERIOD).columns(lines).compact()


@pytest.mark.parametrize("cut", [0, 5, 14, 17, 40, -1])
def test_bytes_that_are_cut_short_are_no_lines(cut: int) -> None:
    lines = block()
    with pytest.raises(UnreadableLinesError, match="dept_a"):
        from_bytes("dept_a", lines.ids.tobytes(), lines.to_bytes()[:cut])


def test_numbers_without_an_owner_and_missing_ids_are_no_lines() -> None:
    lines = block()
    with pytest.raises(UnreadableLinesError):
        from_bytes("dept_a", lines.ids.tobytes(), replace(lines, owner_of=lines.owner_of + 1).to_bytes())
    with pytest.raises(UnreadableLinesError):
        from_bytes("dept_a", lines.ids.tobytes()[16:], lines.to_bytes())
