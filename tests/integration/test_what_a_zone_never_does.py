"""What none of a zone's hosts ever does, as their back ends say, is refused in the plan with the reason. On both engines."""

import base64
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.workflows import hosts as work
from controller.workflows import tickets
from inventory.domain.catalogue import Price
from inventory.domain.errors import AllotError, Problem
from inventory.domain.host import NETWORKS, AdminState, Host
from inventory.domain.resources import disk_dimension
from inventory.store import hosts
from inventory.store.engine import Database
from metering import store as price_store
from tests.support.platform import Furnished, furnish
from tests.support.samples import change_text, ticket_text

#: ``tiny`` of the small city is 1 vCPU and 128 MiB.
SIZES = ((1, 256, 0), (2, 256, 20), (4, 4096, 0))


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=2)


def limit(here: Furnished, *found: Host, **facts: Any) -> None:
    """Have the back ends of hosts say what they never do."""
    with here.platform.db.write() as connection:
        for host in found or here.hosts:
            now = hosts.host(connection, host.id)
            assert now.facts is not None
            hosts.save_host(connection, replace(now, facts=replace(now.facts, **facts)))


def problems(here: Furnished, text: bytes) -> list[Problem]:
    """Return what is wrong with a ticket, to the plan and to the submission alike."""
    found = []
    for act in (tickets.plan, tickets.submit):
        with pytest.raises(AllotError) as refused:
            act(here.platform, text, here.caller())
        found.append([(p.code, p.params, p.where) for p in refused.value.problems])
    assert found[0] == found[1]
    assert all(p.where is not None and p.where.line for p in refused.value.problems)
    return list(refused.value.problems)


def test_a_zone_without_department_networks_takes_no_machine(here: Furnished) -> None:
    limit(here, lacks=(NETWORKS,))
    [problem] = problems(here, ticket_text("portal"))
    assert (problem.code, problem.params["name"]) == ("ticket.zone_without_networks", "web")
    # Another host has them.
    limit(here, here.hosts[1], lacks=())
    tickets.plan(here.platform, ticket_text("portal"), here.caller())


def test_a_size_no_host_makes_is_refused_and_those_there_are_are_named(here: Furnished) -> None:
    limit(here, sizes=SIZES)
    [problem] = problems(here, ticket_text("portal"))
    assert problem.code == "ticket.size_not_made"
    assert problem.params["asked"] == "1 vCPU, 128 MiB"
    assert problem.params["offered"].startswith("1 vCPU, 256 MiB; 2 vCPU, 256 MiB")
    tickets.submit(here.platform, ticket_text("portal", size="{cpu: 1, memory: 256MiB}"), here.caller())
    # What the hosts of a zone make, they make together.
    limit(here, here.hosts[1], sizes=((1, 128, 0),))
    tickets.plan(here.platform, ticket_text("forum"), here.caller())
    limit(here, here.hosts[1], sizes=None)
    tickets.plan(here.platform, ticket_text("forum", size="{cpu: 3, memory: 256MiB}"), here.caller())


def test_a_change_is_held_to_it_and_what_is_there_already_is_not(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    limit(here, sizes=SIZES)
    tickets.plan(here.platform, change_text("portal", "{name: web, disks: [{name: more, size: 1GiB}]}"), here.caller())
    for servers in ("{name: web, size: {cpu: 3, memory: 256MiB}}", "{name: web, count: 2}"):
        [problem] = problems(here, change_text("portal", servers))
        assert problem.code == "ticket.size_not_made"
    tickets.plan(here.platform, change_text("portal", "{name: web, size: {cpu: 4, memory: 4GiB}}"), here.caller())


def test_of_a_disk_on_the_host_the_size_is_a_part(here: Furnished) -> None:
    with here.platform.db.write() as connection:
        price_store.save_price(connection, Price(meter=disk_dimension("standard"), micro_yuan_per_unit_hour=1, valid_from_s=0))
        for storage in hosts.storage_pools(connection):
            hosts.save_storage_pool(connection, replace(storage, roots_only=True))
    limit(here, sizes=SIZES)
    bare = ticket_text("portal", size="{cpu: 2, memory: 256MiB}", more=", root-disk: {size: 20GiB}")
    bare = bare.replace(b", disks: [{name: data, size: 1GiB, class: standard}]", b"")
    tickets.plan(here.platform, bare, here.caller())
    [problem] = problems(here, bare.replace(b"20GiB", b"21GiB"))
    assert (problem.code, problem.params["asked"]) == ("ticket.size_not_made", "2 vCPU, 256 MiB, 21 GiB")


def test_hosts_that_were_not_read_or_are_gone_say_nothing(here: Furnished) -> None:
    limit(here, here.hosts[0], sizes=SIZES)
    with here.platform.db.write() as connection:
        gone = hosts.host(connection, here.hosts[1].id)
        hosts.save_host(connection, replace(gone, admin_state=AdminState.RETIRED))
    assert problems(here, ticket_text("portal"))[0].code == "ticket.size_not_made"
    with here.platform.db.write() as connection:
        host = hosts.host(connection, here.hosts[0].id)
        hosts.save_host(connection, replace(host, facts=None))
    quoted = tickets.plan(here.platform, ticket_text("portal"), here.caller())
    assert not quoted.is_possible, "there is no host, and nobody says that there is no such size"


def test_user_data_and_keys_that_no_machine_can_be_given_are_refused(here: Furnished) -> None:
    # An RSA key of 12,000 bits: its type, exponent and modulus, each after its length.
    parts = (b"ssh-rsa", b"\x01\x00\x01", b"\x7f" * 1500)
    key = "ssh-rsa " + base64.b64encode(b"".join(struct.pack(">I", len(part)) + part for part in parts)).decode()
    few, many = (", ssh-keys: [" + ", ".join([f'"{key} k{n}"' for n in range(count)]) + "]" for count in (10, 20))
    tickets.plan(here.platform, ticket_text("portal", more=few), here.caller())
    [problem] = problems(here, ticket_text("portal", more=many))
    assert (problem.code, problem.params["most"]) == ("ticket.first_boot_too_long", 34 * 1024)


def test_a_refresh_takes_it_over(here: Furnished) -> None:
    class Telling:
        def inspect_host(self) -> Any:
            facts = here.hosts[0].facts
            assert facts is not None
            return replace(facts, sizes=SIZES, lacks=(NETWORKS,))

    teller: Any = Telling()
    for host in here.hosts:
        assert work.refresh_changed(here.platform, host.id, teller)
        assert not work.refresh_changed(here.platform, host.id, teller), "as it was stored, it is the same"
    assert {p.code for p in problems(here, ticket_text("portal"))} == {"ticket.zone_without_networks", "ticket.size_not_made"}
