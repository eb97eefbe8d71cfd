"""Hosts that are given up by themselves: which of a pool's hosts it is time for. Pure.

A pool that says nothing gives up none. A host is never given up for being silent alone: that only begins it. Its power is then
cut by the means of its pool, and what it had is made anew elsewhere once that means says that the host is off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inventory.domain.host import AdminState, Host, LossPolicy, Reachability

#: Hosts that are on their way in or out of the platform are nobody's worry.
_COUNTED = frozenset({AdminState.ACTIVE, AdminState.CORDONED, AdminState.DRAINING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be done about the hosts of one pool."""

    #: To be taken out of service, and then fenced.
    begin: tuple[Host, ...] = ()
    #: Taken out of service for this by a controller: to be fenced, or fenced again.
    go_on: tuple[Host, ...] = ()
    #: More hosts are silent than may be given up at once: rather the network is broken, or this controller is cut off.
    is_held_back: bool = False


def verdict(hosts: Sequence[Host], policy: LossPolicy, now_s: float) -> Verdict:
    """Return what is to be done about the hosts of a pool."""
    if not policy.is_on:
        return Verdict()
    silent = [h for h in hosts if h.reachability is Reachability.UNREACHABLE and h.admin_state in _COUNTED]
    begun = [h for h in silent if is_begun(h)]
    due = [h for h in silent if h.admin_state is AdminState.ACTIVE and _is_over(h, policy, now_s)]
    if len(silent) > policy.most:
        return Verdict(is_held_back=bool(begun or due))
    return Verdict(begin=tuple(due), go_on=tuple(begun))


def is_begun(host: Host) -> bool:
    """Tell whether a controller took this host out of service to give it up, and nobody decided otherwise since."""
    return host.admin_state is AdminState.CORDONED and host.loss_begun_s is not None


def is_given_up(host: Host) -> bool:
    """Tell whether a controller gave this host up, and nobody took it into his hands since."""
    return host.admin_state is AdminState.MAINTENANCE and host.loss_begun_s is not None


def _is_over(host: Host, policy: LossPolicy, now_s: float) -> bool:
    return host.unreachable_since_s is not None and now_s - host.unreachable_since_s >= policy.after_s
