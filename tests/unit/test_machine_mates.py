"""From the rule of a ticket to what a driver is told of it: who shares a rule that a host which is many must keep itself."""

import json

import pytest

from controller.workflows.alike import Alike
from controller.workflows.create import mates_of
from drivers.protocol import Mates
from inventory.domain.resource import InstanceSpec
from inventory.domain.system import ServerSpec, SpreadLevel


def server(spread: SpreadLevel = SpreadLevel.HOST, *, is_hard: bool = False, is_together: bool = False) -> ServerSpec:
    return ServerSpec(
        name="web",
        count=3,
        vcpu_count=1,
        memory_mib=128,
        size="",
        image="i",
        root_disk_gib=1,
        spread=spread,
        spread_is_hard=is_hard,
        is_together=is_together,
    )


def told(server: ServerSpec) -> Mates | None:
    """Return what a driver is told, of a machine that was stored and read back."""
    stored = json.loads(json.dumps(Alike(server, "img_1").spec.to_json()))
    return mates_of(InstanceSpec.from_json(stored), "portal")


@pytest.mark.parametrize(
    ("is_hard", "is_together"),
    [(False, False), (False, True), (True, True)],
)
def test_a_rule_by_host_is_told_to_the_driver(is_hard: bool, is_together: bool) -> None:
    mates = told(server(is_hard=is_hard, is_together=is_together))
    assert mates == Mates(name="portal-web", is_together=is_together, is_hard=is_hard)


def test_a_condition_to_be_apart_was_kept_before() -> None:
    assert told(server(is_hard=True)) is None


@pytest.mark.parametrize("level", [level for level in SpreadLevel if level is not SpreadLevel.HOST])
def test_rules_by_larger_domains_are_not_the_hosts(level: SpreadLevel) -> None:
    spec = Alike(server(level), "img_1").spec
    assert told(server(level)) is None
    assert "spread" not in spec.to_json(), "what nobody asked for is not stored"
