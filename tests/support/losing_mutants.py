"""Mistakes in the order of giving hosts up, made on purpose: the simulation must find every one in a few seeds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from controller.reconcile.lost_hosts import LostHosts
from inventory.domain import loss
from inventory.domain.host import Host, Pool

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def given_up_before_it_was_seen_off(patch: Patch) -> None:
    """Its machines are made elsewhere first, then the power is cut."""
    original = LostHosts._fence

    def fence(self: LostHosts, pool: Pool, host: Host) -> None:
        self._lost(host)
        original(self, pool, host)

    patch.setattr(LostHosts, "_fence", fence)


def a_failed_cut_is_believed(patch: Patch) -> None:
    """Whatever the program says, the host counts as off."""
    original = LostHosts._conclude

    def conclude(self: LostHosts, answer: Any) -> None:
        original(self, replace(answer, problem=None))

    patch.setattr(LostHosts, "_conclude", conclude)


def nobody_counts_who_is_silent(patch: Patch) -> None:
    """A broken switch is taken for lost hosts."""
    original = loss.verdict

    def verdict(own: Any, policy: Any, now_s: float) -> Any:
        return original(own, replace(policy, most=1000), now_s)

    for module in ("controller.workflows.automatic_loss", "controller.reconcile.lost_hosts"):
        patch.setattr(f"{module}.verdict", verdict)


#: Mutant -> seeds within which it must be found.
LOSING_MUTANTS: dict[Mutant, int] = {
    given_up_before_it_was_seen_off: 20,
    a_failed_cut_is_believed: 30,
    nobody_counts_who_is_silent: 40,
}
