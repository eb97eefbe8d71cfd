"""However rarely things were looked at: what the journal says may be uncertain holds the moment at which it really happened."""

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from controller.reconcile.outcomes import Outcome, journal_of, observation_of
from controller.workflows.engine import Done, Ending, Seen, StepResult
from inventory.domain.ids import DepartmentId, HostId, ProjectId, ResourceId, SystemId
from inventory.domain.journal import JournalRow
from inventory.domain.resource import Desired, Observed, Phase, Resource, ResourceKind, VolumeSpec
from inventory.store.resources import HeldRow, last_agreed_s
from metering.ledger import derived

BORN_S, HORIZON_S = 100.0, 100_000.0
moments = st.floats(BORN_S + 1, HORIZON_S, allow_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look at one machine, or at its whole host."""

    at_s: float
    of_host: bool
    #: Whether the back end knows since when.
    is_told: bool
    #: Until what was seen is written.
    takes_s: float


looks = st.builds(Look, at_s=moments, of_host=st.booleans(), is_told=st.booleans(), takes_s=st.sampled_from((0.0, 0.3, 30.0)))


MACHINE = Resource(
    id=ResourceId("inst_1"), kind=ResourceKind.INSTANCE, name="web", department_id=DepartmentId("dept"),
    project_id=ProjectId("proj"), system_id=SystemId("sys"), host_id=HostId("host_1"), desired=Desired.RUNNING,
    observed=Observed.RUNNING, phase=Phase.SETTLED, settled_generation=1, revision=1, created_at_s=BORN_S,
    spec=VolumeSpec(size_gib=1, disk_class="standard", storage_pool_id="stor", instance_id=ResourceId("inst_1")),
)  # fmt: skip


def state_at(changes: list[float], at_s: float) -> tuple[Observed, float]:
    """Return what the machine really is at a moment, and since when: it runs first, each change turns it off or on."""
    past = [c for c in changes if c <= at_s]
    return (Observed.STOPPED if len(past) % 2 else Observed.RUNNING), (past[-1] if past else BORN_S)


def told(changes: list[float], order: list[Look]) -> tuple[list[JournalRow], list[float]]:
    """Live through the looks; returns the journal, and when each of its changes really was."""
    row = HeldRow(
        id=MACHINE.id, generation=1, revision=1, is_woken=False, problem=None, last_state="running",
        last_amounts={"vcpu": 2}, last_host_id=MACHINE.host_id, last_occurred_at_s=int(BORN_S), agreed_at_s=BORN_S,
    )  # fmt: skip
    observed, seen_at_s, kept_s, host_s = Observed.RUNNING, BORN_S, None, BORN_S
    rows: list[JournalRow] = []
    truth: list[float] = []
    for look in order:
        state, since_s = state_at(changes, look.at_s)
        if look.of_host:
            # Found otherwise, it is to be looked at alone; when it agreed last is kept until then.
            kept_s = host_s if kept_s is None and state is not observed else kept_s
            host_s = look.at_s
            continue
        now_s = look.at_s + look.takes_s
        seen = Seen(state=state, since_s=since_s if look.is_told else None, at_s=look.at_s, has_shape=False)
        result = StepResult(step="look", flow=Done(ending=Ending.SETTLED), took_s=0.1, seen=(seen,))
        found = Outcome(MACHINE, [result])
        row = replace(row, agreed_at_s=last_agreed_s("settled", seen_at_s, kept_s, host_s))
        lines = journal_of(found, row, now_s, is_gone=False)
        rows += lines
        truth += [since_s] * len(lines)
        written = observation_of(found, now_s)
        observed, seen_at_s, kept_s = Observed(written["observed"]), look.at_s, written["agreed_at_s"]
        if lines:
            last = lines[-1]
            row = replace(
                row, revision=last.revision, last_state=last.state, last_amounts=last.amounts, last_host_id=last.host_id,
                last_occurred_at_s=last.occurred_at_s,
            )  # fmt: skip
    return rows, truth


@given(st.lists(moments, max_size=6, unique=True), st.lists(looks, min_size=1, max_size=12, unique_by=lambda x: x.at_s))
def test_what_is_uncertain_holds_the_moment_it_really_happened(changes: list[float], seen: list[Look]) -> None:
    order = sorted(seen, key=lambda x: x.at_s)
    # One is written before the next is begun.
    order = [replace(x, takes_s=min(x.takes_s, y.at_s - x.at_s)) for x, y in zip(order, [*order[1:], order[-1]], strict=True)]
    order[-1] = replace(order[-1], takes_s=0.0)
    rows, truth = told(sorted(changes), order)
    for row, really_s in zip(rows, truth, strict=True):
        assert row.occurred_at_s - row.uncertain_s <= really_s < row.occurred_at_s + 1
    for interval in derived(rows) if rows else ():
        assert interval.start_s - interval.start_uncertain_s <= truth[interval.opened_by - 2] < interval.start_s + 1
        if interval.end_s is not None and interval.closed_by is not None:
            assert interval.end_s - interval.end_uncertain_s <= truth[interval.closed_by - 2] < interval.end_s + 1
