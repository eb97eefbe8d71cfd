"""Projects of departments in a region: only ours are used, none is held below what we need, and one that is gone is made anew."""

from collections.abc import Iterator
from typing import Any

import pytest

from drivers.faults import Permanent
from drivers.openstack import projects
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.quotas import GUARD_RAILS, UNBOUNDED
from tests.openstack.harness import Behind, driver_of, new_id

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600)]


@pytest.fixture
def driver(behind: Behind) -> Iterator[OpenStackDriver]:
    """Of a region where each department has a project of its own."""
    found = driver_of("openstack://departments/hv-005")
    assert isinstance(found, OpenStackDriver)
    yield found
    found.close()


@pytest.fixture
def code(driver: OpenStackDriver) -> Iterator[str]:
    """A department nobody has had before; its project goes."""
    found = f"project-{new_id('volume')[-8:].lower()}"
    yield found
    driver.ensure_department_absent(found)


def use(driver: OpenStackDriver, code: str) -> str:
    """Have the project ready to make something in, and return its id."""
    return driver._region.projects.owner(code)["project_id"]


def project_of(behind: Behind, code: str, *tags: str) -> Any:
    """Have a project of the department's name that somebody else made, with these tags."""
    return behind.cloud.identity.create_project(name=f"allotment-{code}", domain_id="default", tags=list(tags))


def quotas_of(behind: Behind, project_id: str) -> dict[str, dict[str, int]]:
    """Return what each service holds a project to, of what we speak of."""
    cloud = behind.cloud
    found = {
        "compute": cloud.compute.get_quota_set(project_id),
        "block_storage": cloud.block_storage.get_quota_set(project_id),
        "network": cloud.network.get_quota(project_id),
        "load_balancer": cloud.load_balancer.get_quota(project_id),
    }
    return {service: {name: getattr(found[service], name) for name in ours} for service, ours in GUARD_RAILS.items()}


def test_no_service_holds_a_department_below_our_own_bounds(driver: OpenStackDriver, behind: Behind, code: str) -> None:
    quotas = quotas_of(behind, use(driver, code))
    short = {
        f"{service} {name}": (quotas[service][name], least)
        for service, ours in GUARD_RAILS.items()
        for name, least in ours.items()
        if quotas[service][name] != UNBOUNDED and quotas[service][name] < least
    }
    assert short == {}


def test_a_quota_that_somebody_raised_stays_as_it_is(driver: OpenStackDriver, behind: Behind, code: str) -> None:
    cloud, project = behind.cloud, project_of(behind, code, projects.TAG)
    cloud.compute.update_quota_set(project.id, cores=50_000, ram=UNBOUNDED, instances=7)
    cloud.block_storage.update_quota_set(project.id, gigabytes=UNBOUNDED, volumes=20_000)
    cloud.network.update_quota(project.id, ports=UNBOUNDED, networks=2_000)
    cloud.load_balancer.update_quota(project.id, members=60_000, listeners=3)
    assert use(driver, code) == project.id
    quotas = quotas_of(behind, project.id)
    assert {n: quotas["compute"][n] for n in ("cores", "ram", "instances")} == {"cores": 50_000, "ram": -1, "instances": 5_000}
    assert {n: quotas["block_storage"][n] for n in ("gigabytes", "volumes")} == {"gigabytes": -1, "volumes": 20_000}
    assert {n: quotas["network"][n] for n in ("ports", "networks")} == {"ports": -1, "networks": 2_000}
    assert {n: quotas["load_balancer"][n] for n in ("members", "listeners")} == {"members": 60_000, "listeners": 10_000}


def test_a_project_of_a_departments_name_that_is_not_ours_is_refused_and_left_as_it_is(
    driver: OpenStackDriver, behind: Behind, code: str
) -> None:
    identity, theirs = behind.cloud.identity, project_of(behind, code, "theirs")
    before = quotas_of(behind, theirs.id)
    try:
        with pytest.raises(Permanent) as refused:
            use(driver, code)
        problem = refused.value.problem
        assert (problem.code, problem.params["name"]) == ("openstack.project_foreign", theirs.name)
        assert list(identity.role_assignments(scope_project_id=theirs.id)) == []
        assert quotas_of(behind, theirs.id) == before
        driver.ensure_department_absent(code)
        assert identity.get_project(theirs.id).name == theirs.name
        # The cure: it is given to the platform.
        identity.put(f"/projects/{theirs.id}/tags/{projects.TAG}").raise_for_status()
        assert use(driver, code) == theirs.id
    finally:
        driver.ensure_department_absent(code)
        if identity.find_project(theirs.id) is not None:
            identity.delete_project(theirs.id)


def test_a_project_another_controller_took_away_is_made_anew(
    driver: OpenStackDriver, behind: Behind, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, ours = use(driver, code), driver._region.projects
    assert ours.connection(code).current_project_id == first
    behind.cloud.identity.delete_project(first)
    # The region's services believe a token for minutes, and Neutron asks nobody whether a project is there: so we do.
    assert use(driver, code) == first, "it is not asked for each thing that is made"
    monkeypatch.setattr(projects, "PROJECT_AGE_S", 0.0)
    second = use(driver, code)
    assert second != first
    assert ours.connection(code).current_project_id == second
    assert use(driver, code) == second
