"""One system on two kinds of pools: servers that share no network land where there is room, under one plan, quota and bill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.openstack.cloud import TICKET_S, City, city, ticket_text
from tests.openstack.harness import Behind
from tests.openstack.region.region import Region
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

HYPERVISOR = "hv-007"
#: A second pool of the same zone, too small for the larger group; its hosts are of another driver.
CELLAR = """\
apiVersion: allotment/v1
kind: Site
pools:
  - {code: cellar, name: 地下室, zone: gov-public, driver: simulated, mlps-max: 3, overcommit: {vcpu: "1.0", memory: "1.0"}}
sizes:
  - {name: broad, vcpu: 8, memory: 1GiB, root-disk: 1GiB}
"""
TICKET = ticket_text(
    "both",
    "name: wide, size: broad, image: demo-linux, spread: none, networks: [back]",
    "name: web, count: 2, size: tiny, image: demo-linux, spread: none",
)


@pytest.fixture
def town(region: Region, behind: Behind, tmp_path: Path) -> Iterator[City]:
    """A city whose one zone has a hypervisor of a region and a small host of another kind."""
    for left in [s for s in behind.servers() if s.hypervisor_hostname == HYPERVISOR]:
        behind.remove_server(left.id)
    with city(tmp_path / "town", region, behind) as found:
        # (64 - 62) vCPUs, four times promised: as much as the larger group needs.
        found.furnish(HYPERVISOR, "--reserve-cpu", "62", cloud="region")
        found.controller.ok("import", found.controller.write("cellar.yaml", CELLAR), "--yes")
        place = ("--pool", "cellar", "--connection", "simulated://cellar/small?cpus=4&memory_mib=4096&disk_gib=40")
        found.controller.ok("host", "enrol", "small", *place, "--storage", "standard:default", "--activate")
        yield found


def test_a_system_on_two_kinds_of_pools_has_one_plan_one_quota_and_one_bill(town: City) -> None:
    controller = town.controller
    text = controller.write("both.yaml", TICKET)
    planned = controller.allot("plan", str(text), "-o", "json")
    assert planned.code == 2, planned.out
    assert len({p["host_id"] for p in planned.json["placements"]}) == 2, "the plan shows both"
    town.apply(text)
    shown = town.machines()
    hosts = {name: machine["host"] for name, machine in shown.items()}
    assert hosts == {"wide-1": HYPERVISOR, "web-1": "small", "web-2": "small"}
    assert set(town.servers()) == {shown["wide-1"]["id"]}
    used = {q["dimension"]: q["used"] for q in controller.ok("quota", "show", "-o", "json").json if q["scope"] == "civil-affairs"}
    assert (used["vcpu"], used["instances"]) == (10, 3)
    billed = {
        r["resource_id"]
        for r in controller.ok("usage", "--from", "2026-01-01", "-o", "json").json["lines"]
        if r["meter"] == "vcpu"
    }
    assert billed == {m["id"] for m in shown.values()}
    town.check()
    controller.ok("release", "both", "--confirm", "both", "--wait", "--timeout", str(TICKET_S))
    until(lambda: town.made() == [], TICKET_S, "nothing of it is left in the region")
    town.check()
