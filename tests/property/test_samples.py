"""Counters between samples, whatever is lost, repeated or late: never negative, never twice, exact where nothing was hidden."""

import itertools
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from metering.samples import Reading, Sample, Spread, Stretch, Used, grown, packed, split, step, unpacked

ID = "inst_" + "0" * 31 + "1"
COUNTER = st.none() | st.integers(0, (1 << 63) - 1)


@dataclass
class Told:
    """One sample: what the counter showed, and what had really been passed by then."""

    at_ms: int
    shown: int
    passed: int
    #: How often it had begun again.
    life: int


@st.composite
def histories(draw: st.DrawFn) -> list[Told]:
    """A counter that grows and begins again, looked at now and then."""
    told, shown, passed, life = [Told(0, 0, 0, 0)], 0, 0, 0
    for n in range(draw(st.integers(1, 20))):
        if draw(st.integers(0, 4)) == 0:
            shown, life = 0, life + 1
        more = draw(st.integers(0, 1_000))
        shown, passed = shown + more, passed + more
        told.append(Told((n + 1) * 1000, shown, passed, life))
    return told


def counted(delivered: list[Told]) -> int:
    known: dict[str, Reading] = {}
    total = 0
    for one in delivered:
        found = step(known, "a", one.at_ms, Sample(ID, 0, 0, one.shown, one.shown))
        if found is None:
            continue
        known["a"], stretch = found
        if stretch is not None:
            assert stretch.received_bytes >= 0
            assert stretch.received_bytes == stretch.sent_bytes
            total += stretch.received_bytes
    return total


@given(histories(), st.data())
def test_what_is_counted_is_never_more_than_what_passed(told: list[Told], data: st.DataObject) -> None:
    delivered = data.draw(st.lists(st.sampled_from(told), max_size=40))
    total = counted(delivered)
    passed = [one.passed for one in delivered]
    assert 0 <= total <= (max(passed) - passed[0] if passed else 0)


@given(histories(), st.data())
def test_nothing_is_lost_between_samples_where_every_new_beginning_shows(told: list[Told], data: st.DataObject) -> None:
    # A counter that began again shows it by being smaller; looked at right before and right after, nothing hides.
    lives = {one.life: one for one in told}
    ends = {id(one) for one in lives.values()}
    kept = [one for n, one in enumerate(told) if not n or id(one) in ends or data.draw(st.booleans())]
    hidden = any(b.life != a.life and (b.life != a.life + 1 or b.shown >= a.shown) for a, b in itertools.pairwise(kept))
    total = counted(kept)
    assert hidden or total == kept[-1].passed
    again = [one for one in kept for _ in range(data.draw(st.integers(1, 3)))]
    late = again + [one for one in kept if data.draw(st.booleans())]
    assert counted(late) == total, "again and late change nothing"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 500), st.booleans()), max_size=20), st.data())
def test_a_machine_that_moves_about_is_never_counted_twice(stays: list[tuple[str, int, bool]], data: st.DataObject) -> None:
    """Each host's samples come in their order, those of two hosts in any. A host may get another id while its counters go on;
    what it told under the old one comes first then."""
    told: dict[str, list[Told]] = {}
    host, shown, passed, names = "a", 0, 0, {"a": "a", "b": "b"}
    for n, (there, more, is_renamed) in enumerate(stays):
        if there != host:
            host, shown = there, 0
        if is_renamed:
            names[host] = f"{host}{n}"
        shown, passed = shown + more, passed + more
        told.setdefault(names[host], []).append(Told(n * 1000, shown, passed, 0))
    known: dict[str, Reading] = {}
    total = 0
    while told:
        oldest = {name[0]: name for name in sorted(told, key=lambda name: -told[name][0].at_ms)}
        name = data.draw(st.sampled_from(sorted(oldest.values())))
        one = told[name].pop(0)
        told = {k: v for k, v in told.items() if v}
        found = step(known, name, one.at_ms, Sample(ID, None, None, one.shown, None))
        if found is not None:
            known[name] = found[0]
            total += found[1].received_bytes if found[1] else 0
    assert 0 <= total <= passed


@given(st.lists(st.tuples(COUNTER, st.none() | st.integers(0, (1 << 32) - 2), COUNTER, COUNTER), max_size=5))
def test_samples_are_kept_as_they_were(rows: list[tuple[int | None, int | None, int | None, int | None]]) -> None:
    samples = [Sample(f"inst_{n:032x}", *row) for n, row in enumerate(rows)]
    assert list(unpacked(packed(samples))) == samples


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 900_000)), min_size=1, max_size=30))
def test_a_spread_is_never_understated_and_adds_up(parts: list[tuple[int, int]]) -> None:
    whole, halves = Spread.empty(), [Spread.empty(), Spread.empty()]
    for n, (permille, ms) in enumerate(parts):
        whole.add(permille, ms)
        halves[n % 2].add(permille, ms)
    merged = Spread.read(halves[0].text(), halves[0].peak_permille)
    merged.merge(halves[1])
    assert merged == whole
    assert whole.covered_ms == sum(ms for _, ms in parts)
    found = whole.at_most(95)
    assert found is not None
    exact, passed = 0, 0
    for permille, ms in sorted(parts):
        exact, passed = permille, passed + ms
        if passed * 100 >= whole.covered_ms * 95:
            break
    assert exact <= found <= whole.peak_permille
    # No coarser than the class it lies in.
    assert found - exact < 50


@given(
    st.integers(0, 10_000),
    st.integers(1, 10_000),
    st.lists(st.integers(0, 20_000), max_size=4),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
)
def test_parts_of_a_stretch_are_the_stretch(first: int, ms: int, cuts: list[int], cpu: int, moved: int) -> None:
    whole = Stretch(first, first + ms, cpu, 5, moved, moved // 3, is_reset=False)
    parts = list(split(whole, sorted(set(cuts))))
    assert (parts[0].from_ms, parts[-1].to_ms) == (first, first + ms)
    assert all(a.to_ms == b.from_ms for a, b in itertools.pairwise(parts))
    assert sum(p.received_bytes for p in parts) == moved
    assert sum(p.sent_bytes for p in parts) == moved // 3
    assert sum(p.cpu_ns or 0 for p in parts) == cpu


@given(COUNTER, COUNTER)
def test_a_counter_never_grows_by_less_than_nothing(before: int | None, now: int | None) -> None:
    assert 0 <= grown(before, now) <= (now or 0)


def test_what_nobody_saw_is_not_idleness() -> None:
    used = Used.empty()
    minute = Stretch(0, 60_000, 30_000_000_000, 512, 7, 9, is_reset=False)
    used.count(minute, 2, 1024, most_ms=900_000)
    used.count(minute._replace(from_ms=60_000, to_ms=7_260_000), 2, 1024, most_ms=900_000)
    used.count(minute._replace(cpu_ns=None, memory_used_mib=None), 2, 1024, most_ms=900_000)
    assert (used.cpu.covered_ms, used.memory.covered_ms, used.network_ms) == (60_000, 60_000, 120_000)
    assert (used.cpu.at_most(95), used.memory.at_most(95)) == (250, 500)
    assert used.received_bytes == 21, "bytes count, however long it took"
    assert Used.empty().cpu.at_most(95) is None
