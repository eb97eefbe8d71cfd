"""What is remembered of a region's machines and asked for since is what a whole listing would show."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from drivers.openstack.mapping import ServerReading, moment_s
from drivers.openstack.roll import OVERLAP_S, Roll, next_roll

WHOLE_AGE_S = 300.0
START_S = 1_700_000_000
steps = st.lists(
    st.tuples(st.sampled_from(["make", "change", "delete", "purge", "look", "touch"]), st.integers(0, 5), st.integers(0, 200)),
    max_size=40,
)


def written(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Nova:
    """Its table of machines; a deleted one stays in it for a while."""

    now_s: int = START_S
    rows: dict[str, ServerReading] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def write(self, server_id: str, status: str, name: str) -> None:
        self.rows[server_id] = ServerReading(
            server_id=server_id, name=name, mark=None, status=status, task=None, vcpu_count=1, memory_mib=1,
            updated_at=written(self.now_s),
        )  # fmt: skip

    def list(self, since: str) -> list[ServerReading]:
        self.asked.append(since)
        if not since:
            return [s for s in self.rows.values() if s.status != "DELETED"]
        return [s for s in self.rows.values() if moment_s(s.updated_at, 0.0) >= moment_s(since, 0.0)]


@given(steps)
def test_the_roll_is_what_a_whole_listing_shows(given_steps: list[tuple[str, int, int]]) -> None:
    nova, roll, is_touched = Nova(), None, True
    for number, (act, which, pause_s) in enumerate(given_steps):
        nova.now_s += pause_s
        server_id = f"s{which}"
        known = nova.rows.get(server_id)
        is_there = known is not None and known.status != "DELETED"
        if act == "make" and not is_there:
            nova.write(server_id, "ACTIVE", f"n{number}")
        elif act == "change" and is_there:
            nova.write(server_id, "SHUTOFF", f"n{number}")
        elif act == "delete" and is_there:
            nova.write(server_id, "DELETED", f"n{number}")
        elif act == "touch":
            is_touched = True
        elif act == "look":
            roll = next_roll(roll, nova.now_s, WHOLE_AGE_S, nova.list, is_touched=is_touched)
            is_touched = False
            truth = {s.server_id: s for s in nova.rows.values() if s.status != "DELETED"}
            assert roll.servers == truth


def test_a_steady_look_asks_only_for_what_changed() -> None:
    nova = Nova()
    for number in range(1000):
        nova.now_s += 1
        nova.write(f"s{number}", "ACTIVE", "n")
    nova.now_s += 100
    roll = next_roll(None, nova.now_s, WHOLE_AGE_S, nova.list, is_touched=False)
    nova.write("s7", "SHUTOFF", "n")
    roll = next_roll(roll, nova.now_s + 30, WHOLE_AGE_S, nova.list, is_touched=False)
    assert nova.asked == ["", written(START_S + 1000 - int(OVERLAP_S))]
    assert roll.servers["s7"].status == "SHUTOFF"


def test_everything_is_listed_after_a_change_of_ours_and_from_time_to_time() -> None:
    nova = Nova()
    nova.write("s1", "ACTIVE", "n")
    roll: Roll | None = None
    for at_s, is_touched in ((0.0, False), (1.0, True), (WHOLE_AGE_S, False), (WHOLE_AGE_S + 1, False)):
        roll = next_roll(roll, at_s, WHOLE_AGE_S, nova.list, is_touched=is_touched)
    assert [bool(since) for since in nova.asked] == [False, False, True, False]


def test_a_region_that_wrote_no_moment_is_listed_whole() -> None:
    nova = Nova()
    nova.write("s1", "ACTIVE", "n")
    nova.rows["s1"] = replace(nova.rows["s1"], updated_at="")
    roll = next_roll(None, 0.0, WHOLE_AGE_S, nova.list, is_touched=False)
    next_roll(roll, 1.0, WHOLE_AGE_S, nova.list, is_touched=False)
    assert nova.asked == ["", ""]
