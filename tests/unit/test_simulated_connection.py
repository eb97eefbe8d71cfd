"""A connection string names a world and a host, and every mistake in it is told."""

import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from controller.texts.drivers import TEXTS as DRIVER_TEXTS
from controller.texts.simulated import TEXTS as SIMULATED_TEXTS
from drivers import simulated
from drivers.protocol import Capability, DriverContext
from drivers.registry import driver_factory
from drivers.simulated.connection import read_connection
from drivers.simulated.driver import POWERS, SimulatedDriver, open_driver
from drivers.simulated.world import World, drop_world, install_world, world_named
from inventory.domain.errors import Invalid


@pytest.fixture
def world_name() -> Iterator[str]:
    yield "connection-test"
    drop_world("connection-test")


def context(connection: str) -> DriverContext:
    return DriverContext(host_id="host_1", host_name="h", connection=connection, clock=lambda: 42.0)


def test_connection_string_makes_the_host_on_first_use(world_name: str) -> None:
    text = f"simulated://{world_name}/h1?cpus=8&memory_mib=4096&disk_gib=100&arch=aarch64"
    driver = driver_factory("simulated")(context(text))
    facts = driver.inspect_host()
    assert (facts.hostname, facts.cpu_count, facts.memory_mib, facts.arch) == ("h1", 8, 4096, "aarch64")
    assert [(s.name, s.capacity_gib) for s in facts.storage] == [("default", 100)]
    assert facts.virtualisation == "simulated"
    assert driver.observe().observed_at_s == 42.0


def test_two_connections_meet_on_one_host(world_name: str) -> None:
    first = open_driver(context(f"simulated://{world_name}/h1?cpus=8"))
    second = open_driver(context(f"simulated://{world_name}/h1"))
    assert isinstance(first, SimulatedDriver)
    assert first.host is second.host
    assert second.inspect_host().cpu_count == 8


def test_world_of_the_process_is_lenient_and_one_of_a_test_can_be_installed(world_name: str) -> None:
    assert world_named(world_name).is_strict is False
    mine = install_world(World(world_name))
    assert open_driver(context(f"simulated://{world_name}/h1")).world is mine


def test_a_host_may_have_machines_of_others_from_the_start_and_only_then(world_name: str) -> None:
    text = f"simulated://{world_name}/h1?foreign=mail:civil-it,files"
    driver = open_driver(context(text))
    assert [(f.name, f.owner) for f in driver.observe().foreign] == [("mail", "civil-it"), ("files", "")]
    driver.world.remove_foreign("h1", driver.observe().foreign[0].uuid)
    assert [f.name for f in open_driver(context(text)).observe().foreign] == ["files"]


def test_pools_powers_and_delay_are_read(world_name: str) -> None:
    text = f"simulated://{world_name}/h1?pools=default:10,fast:5&without=stats,events&delay_ms=250&disks=north"
    driver = open_driver(context(text))
    assert [(p.name, p.capacity_gib) for p in driver.host.spec.pools] == [("default", 10), ("fast", 5)]
    assert driver.capabilities() == POWERS & ~(Capability.STATS | Capability.EVENTS)
    assert driver.world.delay_s("observe") == 0.25


@pytest.mark.parametrize(
    "text",
    [
        "qemu:///system",
        "simulated://world",
        "simulated:///host",
        "simulated://world/a/b",
        "simulated://world/h?cpu=4",
        "simulated://world/h?cpus=many",
        "simulated://world/h?cpus=0",
        "simulated://world/h?memory_mib=-1",
        "simulated://world/h?pools=default",
        "simulated://world/h?without=flying",
        "simulated://world/h?delay_ms=-1",
    ],
)
def test_wrong_connection_string_is_refused_with_its_reason(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_connection(text)
    assert caught.value.code == "simulated.connection_bad"
    assert caught.value.params["reason"]


TEXTS = {**DRIVER_TEXTS, **SIMULATED_TEXTS}


def test_every_text_has_both_languages_a_cure_and_an_actor() -> None:
    for code, text in TEXTS.items():
        assert all((text.zh, text.en, text.cure_zh, text.cure_en, text.actor)), code


def test_both_languages_of_a_text_name_the_same_parameters() -> None:
    for code, text in TEXTS.items():
        assert _parameters(text.zh) == _parameters(text.en), code


def _parameters(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


#: A fault in the source: its code and its keyword arguments.
_RAISED = re.compile(r'\("((?:driver|image|simulated)\.\w+)",([^()]*(?:\([^()]*\)[^()]*)*)\)')


def test_every_fault_of_the_simulated_driver_has_a_text_and_gives_all_it_names() -> None:
    source = "".join(path.read_text() for path in sorted(Path(simulated.__path__[0]).glob("*.py")))
    raised = [(code, set(re.findall(r"(\w+)=", given))) for code, given in _RAISED.findall(source)]
    assert len(raised) > 15
    for code, given in raised:
        assert _parameters(TEXTS[code].en) <= given, code


def test_disks_that_are_lost_with_their_host_bring_no_machine_back(world_name: str) -> None:
    driver = open_driver(context(f"simulated://{world_name}/h1"))
    assert driver.capabilities() == POWERS & ~Capability.EVACUATION
    assert driver.inspect_host().disk_scope == ""
    assert open_driver(context(f"simulated://{world_name}/h2?disks=north")).inspect_host().disk_scope == "north"
