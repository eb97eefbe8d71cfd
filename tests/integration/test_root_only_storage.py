"""Storage that takes root disks only, as a back end says of it: known by class, and said in plans. On both engines."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from controller.identity.caller import local_operator
from controller.workflows import hosts as work
from controller.workflows import tickets
from controller.workflows.heirs import fleeting_storage
from controller.workflows.hosts import EnrolRequest, StorageRequest
from controller.workflows.site import apply_import
from drivers.protocol import DriverContext
from drivers.registry import driver_factory
from inventory.domain.catalogue import Price
from inventory.domain.errors import AllotError, Invalid
from inventory.domain.host import Host, HostFacts
from inventory.domain.resources import disk_dimension
from inventory.store import hosts
from inventory.store.engine import Database
from metering import store as price_store
from tests.support.platform import Furnished, furnish
from tests.support.samples import ticket_text

OPERATOR = local_operator("li")


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=1)


@dataclass
class Telling:
    """A host with storage pools ``local`` and ``shared``, of which these take root disks only."""

    here: Furnished
    name: str
    roots_only: frozenset[str]

    @property
    def connection(self) -> str:
        return f"simulated://roots/{self.name}?pools=local:1000,shared:200"

    def inspect_host(self) -> HostFacts:
        context = DriverContext(host_id="host_x", host_name=self.name, connection=self.connection, clock=self.here.clock)
        facts = driver_factory("simulated")(context).inspect_host()
        storage = tuple(replace(s, roots_only=s.name in self.roots_only) for s in facts.storage)
        return replace(facts, storage=storage)

    def close(self) -> None:
        """There is nothing to leave."""


def enrol(here: Furnished, name: str, *roots_only: str, **classes: str) -> tuple[Host, Any]:
    driver: Any = Telling(here, name, frozenset(roots_only))  # only inspect_host is asked
    storage = tuple(StorageRequest(name=pool, disk_class=disk_class) for pool, disk_class in classes.items())
    request = EnrolRequest(name=name, pool="sim", connection=driver.connection, storage=storage)
    return work.enrol(here.platform, request, driver, OPERATOR), driver


def flags(here: Furnished, host: Host) -> dict[str, bool]:
    with here.platform.db.read() as connection:
        return {s.disk_class: s.roots_only for s in hosts.storage_pools(connection, host.id)}


def root_only_classes(here: Furnished) -> frozenset[str]:
    with here.platform.db.read() as connection:
        return frozenset(c for c, roots_only in hosts.disk_classes(connection).items() if roots_only)


def test_what_the_back_end_says_is_kept_by_class_and_promised_as_any_other(here: Furnished) -> None:
    host, driver = enrol(here, "n1", "local", local="local", shared="standard")
    assert flags(here, host) == {"local": True, "standard": False}
    assert root_only_classes(here) == {"local"}
    with here.platform.db.read() as connection:
        room = {r.dimension: r.capacity for r in hosts.inventories_of(connection, [host.id])[host.id]}
        [own] = [s.id for s in hosts.storage_pools(connection, host.id) if s.name == "local"]
        assert fleeting_storage(connection, host) == {own}
    assert room[disk_dimension("local")] == 1000
    # It says something else later.
    driver.roots_only = frozenset()
    work.refresh(here.platform, host.id, driver)
    assert flags(here, host) == {"local": False, "standard": False}
    assert root_only_classes(here) == frozenset()


def test_a_class_takes_root_disks_only_everywhere_or_nowhere(here: Furnished) -> None:
    # Of one host, and of two.
    for name, classes in (("n1", {"local": "fast", "shared": "fast"}), ("n2", {"local": "standard"})):
        with pytest.raises(Invalid) as refused:
            enrol(here, name, "local", **classes)
        assert refused.value.code == "host.storage_class_mixed"
        assert refused.value.params["storage_pool"] == "local"
    assert refused.value.params["other"] == "host-0000"
    first, driver = enrol(here, "n3", "local", local="local")
    second, _ = enrol(here, "n4", "local", local="local")
    driver.roots_only = frozenset()
    with pytest.raises(Invalid) as refused:
        work.refresh(here.platform, first.id, driver)
    assert (refused.value.code, refused.value.params["other"]) == ("host.storage_class_mixed", second.name)
    assert flags(here, first) == {"local": True}


def test_hosts_that_come_in_one_document_keep_a_class_alike(here: Furnished) -> None:
    drivers: dict[str, Any] = {name: Telling(here, name, frozenset(own)) for name, own in (("n1", ()), ("n2", ("local",)))}
    storage = [{"name": "local", "class": "fast"}]
    found = [{"name": n, "pool": "sim", "connection": d.connection, "storage": storage} for n, d in drivers.items()]
    # As JSON: YAML would write what they share as a reference.
    document = json.dumps({"apiVersion": "allotment/v1", "kind": "Site", "hosts": found}).encode()
    with pytest.raises(AllotError) as refused:
        apply_import(here.platform, document, OPERATOR, open_driver=lambda _, c: drivers[c.host_name])
    [problem] = refused.value.problems
    assert problem.code == "host.storage_class_mixed"
    assert {"host": "n2", "other": "n1", "disk_class": "fast"}.items() <= problem.params.items()
    with here.platform.db.read() as connection:
        assert {h.name for h in hosts.hosts(connection)} == {"host-0000"}


def test_a_plan_refuses_a_data_disk_there_and_takes_a_root_disk(here: Furnished) -> None:
    enrol(here, "n1", "local", local="local")
    with here.platform.db.write() as connection:
        price_store.save_price(connection, Price(meter="disk_gib:local", micro_yuan_per_unit_hour=1000, valid_from_s=0))
    text = ticket_text("portal", more=", root-disk: {class: local}")
    tickets.plan(here.platform, text, here.caller())
    for act in (tickets.plan, tickets.submit):
        with pytest.raises(AllotError) as refused:
            act(here.platform, text.replace(b"size: 1GiB, class: standard", b"size: 1GiB, class: local"), here.caller())
        [problem] = refused.value.problems
        assert (problem.code, problem.params["offered"]) == ("ticket.disk_class_roots_only", "standard/标准")
        assert problem.where is not None
        assert problem.where.line
