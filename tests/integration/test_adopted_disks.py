"""Disks of adopted machines: claimed, metered and counted with their machine, and followed like it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.identity.caller import Role
from controller.reconcile.adopted import MISSED_PERIODS
from controller.workflows import adoption, reconciliation
from controller.workflows.adoption import Shown
from controller.workflows.ledger import catch_up
from inventory.domain.errors import QuotaExceeded
from inventory.domain.host import ForeignDisk, ForeignDomain, Host, StoragePool
from inventory.domain.ids import StoragePoolId
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.store import capacities, findings, foreign, hosts, journal
from inventory.store.engine import Database
from tests.support.adopting import PERIOD_S, assert_whole, disk_room, look, machines, take, used
from tests.support.api import service
from tests.support.platform import Furnished, furnish

ROOT = ForeignDisk(uuid="v-root", storage_pool="default", size_gib=20)
DATA = ForeignDisk(uuid="v-data", storage_pool="default", size_gib=100)
#: In a storage pool nobody enrolled.
ODD = ForeignDisk(uuid="v-odd", storage_pool="gold", size_gib=7)
DISK = "disk_gib:standard"
ONE: dict[str, Any] = {"owner": "", "machines": ("u-1",)}


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    furnished = furnish(database, tmp_path, host_count=2)
    for department in furnished.city.departments:
        for dimension in (VCPU, MEMORY_MIB, "instances", "disk_gib"):
            furnished.limit(department, dimension, 1 << 20)
    seen(furnished, ROOT, DATA)
    return furnished


def seen(here: Furnished, *disks: ForeignDisk, host: Host | None = None, others_gib: int = 0, age_s: float = 0.0) -> None:
    """Have the loop look at a machine with these disks, beside which others have some room."""
    where = host or here.hosts[0]
    storage = {"default": others_gib + sum(d.size_gib for d in disks if d.storage_pool == "default")}
    found = machines(where, disks=disks)[:1]
    look(here, where, found, storage_gib=storage, disks_age_s=age_s)


def metered(here: Furnished, shown: Shown) -> list[int]:
    """Return the GiB of disk in every line of the journal."""
    with here.platform.db.read() as connection:
        return [r.amounts.get(DISK, 0) for r in journal.of_resource(connection, shown.resource.id)]


def told(here: Furnished) -> dict[str, Any]:
    """Return the detail of the one open finding; empty for none."""
    with here.platform.db.read() as connection:
        open_ = findings.page(connection, limit=9, state="open")
    return dict(open_[0]["detail"]) if open_ else {}


def assert_books_agree(here: Furnished) -> None:
    """Check that what is metered, claimed, counted and seen is one."""
    catch_up(here.platform)
    met, _ = reconciliation.look(here.platform, ())
    assert met == set()
    assert_whole(here)


def test_disks_are_on_the_bill_of_their_machine_from_its_adoption_on(here: Furnished) -> None:
    seen(here, ROOT, DATA, others_gib=30)
    assert disk_room(here, here.hosts[0]) == (0, 150)
    [mail] = take(here, **ONE)
    assert metered(here, mail) == [120, 120]
    assert disk_room(here, here.hosts[0]) == (120, 30), "what was foreign is claimed, and counts once"
    assert used(here, "disk_gib") == 120
    assert_books_agree(here)
    take(here, **ONE)
    assert metered(here, mail) == [120, 120], "twice is once"
    adoption.let_go(here.platform, mail.resource.id, here.caller(Role.OPERATOR))
    assert metered(here, mail)[-1] == 0
    assert (disk_room(here, here.hosts[0]), used(here, "disk_gib")) == ((0, 150), 0)
    assert_books_agree(here)


def test_a_machine_with_more_disk_than_its_quota_is_not_adopted(here: Furnished) -> None:
    here.limit("civil-it", "disk_gib", 119)
    with pytest.raises(QuotaExceeded):
        take(here, **ONE)
    assert disk_room(here, here.hosts[0]) == (0, 120)
    here.limit("civil-it", "disk_gib", 120)
    take(here, **ONE)
    assert_books_agree(here)


def test_a_disk_that_is_taken_out_or_vanishes_is_off_the_bill_at_once(here: Furnished) -> None:
    [mail] = take(here, **ONE)
    here.clock.now_s += 600
    seen(here, ROOT, others_gib=100)
    assert metered(here, mail)[-1] == 20
    assert (disk_room(here, here.hosts[0]), used(here, "disk_gib")) == ((20, 100), 20)
    assert told(here) == {}, "its owner may do so, and nothing is left to be decided"
    assert_books_agree(here)
    here.clock.now_s += 600
    seen(here)
    assert metered(here, mail)[-1] == 0
    assert (disk_room(here, here.hosts[0]), used(here, "disk_gib")) == ((0, 0), 0)
    assert_books_agree(here)


def test_when_it_was_taken_out_is_as_uncertain_as_what_is_said_of_disks_is_old(here: Furnished) -> None:
    [mail] = take(here, **ONE)
    here.clock.now_s += 600
    seen(here, ROOT, age_s=300.0)
    here.clock.now_s += 100
    seen(here, age_s=300.0)
    with here.platform.db.read() as connection:
        uncertain_s = [r.uncertain_s for r in journal.of_resource(connection, mail.resource.id)]
    assert uncertain_s[2] >= 300
    assert uncertain_s[3] == 100, "never longer ago than the line before"


def test_a_disk_that_grows_or_comes_is_told_and_on_the_bill_when_it_is_taken_anew(here: Furnished) -> None:
    [mail] = take(here, **ONE)
    grown = replace(DATA, size_gib=150)
    seen(here, ROOT, grown)
    assert (told(here)["disk_gib"], metered(here, mail)[-1]) == (170, 120)
    assert disk_room(here, here.hosts[0]) == (120, 50), "what it has beyond its claim is foreign"
    assert_books_agree(here)
    here.clock.now_s += 60
    here.limit("civil-it", "disk_gib", 169)
    with pytest.raises(QuotaExceeded):
        take(here, **ONE)
    assert metered(here, mail)[-1] == 120
    here.limit("civil-it", "disk_gib", 170)
    take(here, **ONE)
    assert (told(here), metered(here, mail)[-1], disk_room(here, here.hosts[0])) == ({}, 170, (170, 0))
    seen(here, ROOT, grown, replace(DATA, uuid="v-new", size_gib=1))
    assert told(here)["disk_gib"] == 171
    seen(here, ROOT, grown)
    assert told(here) == {}, "it is gone again before anybody took it"
    assert_books_agree(here)


def test_a_disk_of_no_class_is_shown_and_not_metered(here: Furnished) -> None:
    seen(here, ROOT, ODD)
    [candidate] = adoption.candidates(here.platform, "sim", limit=9)
    assert (candidate.machine.disks, candidate.disk_classes) == ((ROOT, ODD), {"default": "standard"})
    [mail] = take(here, **ONE)
    assert metered(here, mail) == [20, 20]
    seen(here, ROOT, ODD)
    assert told(here) == {}
    assert_books_agree(here)


def test_one_that_is_retyped_is_another_disk(here: Furnished) -> None:
    [mail] = take(here, **ONE)
    here.clock.now_s += 60
    seen(here, ROOT, replace(DATA, storage_pool="gold"))
    assert metered(here, mail)[-1] == 20
    seen(here, ROOT, DATA)
    assert (metered(here, mail)[-1], told(here)["disk_gib"]) == (20, 120)
    assert_books_agree(here)


def test_where_the_back_end_does_not_tell_disks_stay_as_they_were(here: Furnished) -> None:
    [mail] = take(here, **ONE)
    here.clock.now_s += 60
    look(here, here.hosts[0], machines(here.hosts[0], disks=None, is_running=False)[:1])
    assert metered(here, mail) == [120, 120, 120]
    assert told(here) == {}
    assert_books_agree(here)


def test_disks_move_with_their_machine_and_are_of_the_class_they_have_there(here: Furnished) -> None:
    first, second = here.hosts
    with here.platform.db.write() as connection:
        gold = StoragePool(id=StoragePoolId("stor_gold"), host_id=first.id, name="gold", disk_class="high")
        hosts.save_storage_pool(connection, gold)
        [pool] = [p for p in hosts.storage_pools(connection, first.id) if p.name == "default"]
        capacities.save_capacity(connection, hosts.host(connection, first.id), _pool(here), [pool, gold])
    seen(here, ROOT, ODD)
    [mail] = take(here, **ONE)
    with here.platform.db.read() as connection:
        assert journal.last_of(connection, mail.resource.id).amounts["disk_gib:high"] == 7
    here.clock.now_s += 60
    look(here, first, [])
    moved: list[ForeignDomain] = machines(second, disks=(ROOT, ODD))[:1]
    look(here, second, moved, storage_gib={"default": 20})
    with here.platform.db.read() as connection:
        last = journal.last_of(connection, mail.resource.id)
    assert (last.host_id, dict(last.amounts)) == (second.id, {VCPU: 2, MEMORY_MIB: 2048, DISK: 20})
    assert (disk_room(here, second), used(here, "disk_gib")) == ((20, 0), 20)
    assert_books_agree(here)


def _pool(here: Furnished) -> Any:
    with here.platform.db.read() as connection:
        return adoption._pool_of(connection, "sim")[0]


def test_they_end_with_their_machine(here: Furnished) -> None:
    [mail] = take(here, **ONE)
    look(here, here.hosts[0], [])
    here.clock.now_s += MISSED_PERIODS * PERIOD_S
    look(here, here.hosts[0], [], storage_gib={"default": 0})
    assert (metered(here, mail)[-1], used(here, "disk_gib"), disk_room(here, here.hosts[0])) == (0, 0, (0, 0))
    assert_books_agree(here)


def test_the_api_shows_disks_of_candidates_and_of_what_is_adopted(tmp_path: Path) -> None:
    with service(tmp_path) as platform:
        with platform.platform.db.write() as connection:
            found = [*machines(platform.host, disks=(ROOT, ODD))[:1], *machines(platform.host)[1:2]]
            foreign.save_foreign(connection, platform.host.id, found, platform.clock())
        operator = platform.operator()
        first, second = operator.get("/v1/pools/sim/foreign").json()["items"]
        root = {"uuid": "v-root", "storage_pool": "default", "size_gib": 20, "disk_class": "standard"}
        odd = {"uuid": "v-odd", "storage_pool": "gold", "size_gib": 7, "disk_class": ""}
        assert (first["disks"], second["disks"]) == ([root, odd], None)
        body = {"pool": "sim", "project": "P-portal", "system": "legacy", "lease_end": "2027-02-28", "machines": [first["uuid"]]}
        [made] = operator.post("/v1/adoptions", json=body).json()["items"]
        assert made["disks"] == [root]
