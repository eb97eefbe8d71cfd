"""Which hosts are given up by themselves, against the rule said in plain words."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.host import AdminState, Host, LossPolicy, Reachability
from inventory.domain.loss import is_begun, verdict
from tests.support.placement import entry

NOW_S = 10_000.0
BASE = entry(0).host


@st.composite
def some_hosts(draw: st.DrawFn) -> list[Host]:
    count = draw(st.integers(0, 5))
    return [
        replace(
            BASE,
            id=type(BASE.id)(f"host_{n}"),
            admin_state=draw(st.sampled_from(AdminState)),
            reachability=draw(st.sampled_from(Reachability)),
            unreachable_since_s=draw(st.none() | st.floats(NOW_S - 1000, NOW_S)),
            loss_begun_s=draw(st.none() | st.just(NOW_S - 5)),
        )
        for n in range(count)
    ]


@given(hosts=some_hosts(), after_s=st.sampled_from((0, 300, 600)), most=st.integers(1, 3))
def test_only_hosts_long_silent_in_service_are_begun_and_only_while_few_are_silent(
    hosts: list[Host], after_s: int, most: int
) -> None:
    found = verdict(hosts, LossPolicy(after_s=after_s, most=most), NOW_S)
    in_play = {AdminState.ACTIVE, AdminState.CORDONED, AdminState.DRAINING}
    silent = [h for h in hosts if h.reachability is Reachability.UNREACHABLE and h.admin_state in in_play]
    long = [h for h in silent if h.unreachable_since_s is not None and h.unreachable_since_s + after_s <= NOW_S]
    due = [h for h in long if h.admin_state is AdminState.ACTIVE]
    begun = [h for h in silent if is_begun(h)]
    if after_s == 0:
        assert (found.begin, found.go_on, found.is_held_back) == ((), (), False)
    elif len(silent) > most:
        assert (found.begin, found.go_on, found.is_held_back) == ((), (), bool(due or begun))
    else:
        assert (list(found.begin), list(found.go_on), found.is_held_back) == (due, begun, False)
