"""What a region's services say of themselves when it is opened: versions are kept, too old ones refused, extensions heeded."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import Permanent
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.flavors import ensure_flavor
from drivers.protocol import Capability
from inventory.domain.host import NETWORKS
from tests.support.region_answers import EXTENSIONS, Answers, answering
from tests.support.told_things import give_one_hypervisor, told_driver


@pytest.fixture
def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    with answering(tmp_path, monkeypatch) as answers:
        answers.give("GET /compute/v2.1/servers/detail", {"servers": []})
        answers.give("GET /volume/v3/snapshots/detail", {"snapshots": []})
        yield answers


@pytest.fixture
def driver(region: Answers) -> Iterator[OpenStackDriver]:
    del region
    found = told_driver("openstack://told")
    yield found
    found.close()


def test_versions_of_all_services_are_kept(driver: OpenStackDriver) -> None:
    assert [v.text for v in driver._region.versions] == [
        "identity 3.14", "compute 2.96", "network 2.0", "block_storage 3.71", "image 2.17", "placement 1.39",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "service", "newest", "needed"),
    [("/compute", "compute", "2.89", "2.90"), ("/placement", "placement", "1.35", "1.36"), ("/compute", "compute", "", "2.90")],
)
def test_a_service_that_is_too_old_is_refused(
    region: Answers, driver: OpenStackDriver, path: str, service: str, newest: str, needed: str
) -> None:
    for request, [(_, body)] in region.given.items():
        if request.startswith(f"GET {path}") and isinstance(body, dict) and body.keys() & {"version", "versions"}:
            for told in body.get("versions") or [body["version"]]:
                told |= {"version": newest, "max_version": newest}
    with pytest.raises(Permanent) as refused:
        driver.snapshots()
    assert refused.value.problem.code == "openstack.service_too_old"
    params = refused.value.problem.params
    assert (params["cloud"], params["service"], params["needed"]) == ("told", service, needed)
    assert params["found"] == (newest or "2.1")


@pytest.mark.parametrize(
    ("extension", "lost"),
    [
        ("router", Capability.OUTSIDE),
        ("port-security", Capability.NETWORKS),
        ("revision-if-match", Capability.NETWORKS),
        ("security-group", Capability.NETWORKS | Capability.FILTERS),
        ("standard-attr-description", Capability.NETWORKS | Capability.FILTERS | Capability.OUTSIDE),
    ],
)
def test_a_power_goes_with_the_extension_it_needs(
    region: Answers, driver: OpenStackDriver, extension: str, lost: Capability
) -> None:
    before = driver.capabilities()
    assert lost in before, "nobody was asked yet"
    region.give("GET /network/v2.0/extensions", {"extensions": [{"alias": alias} for alias in EXTENSIONS if alias != extension]})
    assert driver.snapshots() == []
    assert driver.capabilities() == before & ~lost


def test_what_a_region_never_does_is_among_its_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {"id": "f", "name": "f", "vcpus": 2, "ram": 4096, "disk": 20, "extra_specs": {}}
    tuned = {**plain, "id": "g", "name": "g", "vcpus": 4, "extra_specs": {"hw:cpu_policy": "dedicated"}}
    cases: list[tuple[dict[str, str], tuple[str, ...], tuple[str, ...], Any]] = [
        ({}, EXTENSIONS, (), None),
        ({"flavors": "existing"}, EXTENSIONS, (), ((2, 4096, 20),)),
        ({}, ("router",), (NETWORKS,), None),
    ]
    for settings, extensions, lacks, sizes in cases:
        with answering(tmp_path, monkeypatch, **settings) as region:
            give_one_hypervisor(region)
            region.give("GET /network/v2.0/extensions", {"extensions": [{"alias": alias} for alias in extensions]})
            region.give("GET /compute/v2.1/flavors/detail", {"flavors": [plain, tuned]})
            region.give("GET /volume/v3/types", {"volume_types": []})
            region.give("GET /volume/v3/scheduler-stats/get_pools", {"pools": []})
            with closing(told_driver("openstack://told/hv-1")) as driver:
                facts = driver.inspect_host()
                assert (facts.lacks, facts.sizes) == (lacks, sizes)
                if sizes is not None:
                    with pytest.raises(Permanent) as refused:
                        ensure_flavor(driver._region, 1, 128)
                    assert refused.value.problem.code == "openstack.flavor_missing"
                    assert not [a for a in region.asked if a.startswith("POST /compute")], "no flavor is made"
