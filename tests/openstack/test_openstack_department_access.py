"""A role of a department's people in the department's project: given on first use, gone with the project, never too strong."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import Permanent
from drivers.openstack.driver import OpenStackDriver
from drivers.protocol import VolumeRequest
from tests.openstack.harness import STORAGE_POOL, Behind, driver_of, new_id
from tests.openstack.region.layout import REGION
from tests.openstack.region.region import Region
from tests.openstack.region.seeding import CALL_TIMEOUT_S, PLATFORM_USER

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600)]

HYPERVISOR = "hv-005"
FENCE = 1
Opened = Callable[..., AbstractContextManager[OpenStackDriver]]


@pytest.fixture
def code() -> str:
    """A department nobody has had before."""
    return f"access-{new_id('volume')[-8:].lower()}"


@pytest.fixture
def opened(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """A driver of a region with settings of its own."""

    @contextmanager
    def open_with(**settings: str) -> Iterator[OpenStackDriver]:
        chosen = {"projects": "per-department", "project_role": "admin", "call_timeout_s": str(CALL_TIMEOUT_S), **settings}
        auth = {"auth_url": region.layout.url("keystone", "/v3"), "username": PLATFORM_USER, "password": region.layout.password}
        domains = {"project_name": PLATFORM_USER, "user_domain_name": "Default", "project_domain_name": "Default"}
        entry = {"region_name": REGION, "auth": auth | domains, "allotment": chosen}
        # JSON is YAML.
        (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"own": entry}}))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
        driver = driver_of(f"openstack://own/{HYPERVISOR}")
        assert isinstance(driver, OpenStackDriver)
        try:
            yield driver
        finally:
            driver.close()

    return open_with


def use(driver: OpenStackDriver, code: str) -> None:
    """Make the first thing of a department, and take it away again: its project stays."""
    disk = VolumeRequest(volume_id=new_id("volume"), role="data", storage_pool=STORAGE_POOL, size_gib=1, department=code)
    try:
        driver.ensure_volume(disk, FENCE)
    finally:
        driver.ensure_volume_absent(disk.volume_id, STORAGE_POOL, FENCE)


def roles_in(behind: Behind, code: str, group_id: str) -> list[str]:
    """Return the names of the roles a group has in a department's project."""
    identity = behind.cloud.identity
    names = {role.id: role.name for role in identity.roles()}
    (project,) = identity.projects(name=f"allotment-{code}")
    found = identity.role_assignments(scope_project_id=project.id, group_id=group_id)
    return [names[a.role["id"]] for a in found]


def group_of(behind: Behind, name: str) -> Any:
    return next(iter(behind.cloud.identity.groups(name=name)), None)


def test_a_group_that_is_there_gets_its_role_once_and_loses_it_with_the_project(
    opened: Opened, behind: Behind, code: str
) -> None:
    identity = behind.cloud.identity
    group = identity.create_group(name=f"{code}-operators", domain_id="default", description="theirs")
    try:
        for _ in range(2):
            # A second controller comes to the same project with nothing remembered.
            with opened(department_group="{department}-operators", department_role="member") as driver:
                use(driver, code)
                assert roles_in(behind, code, group.id) == ["member"]
        with opened(department_group="{department}-operators", department_role="member") as driver:
            driver.ensure_department_absent(code)
        assert list(identity.role_assignments(group_id=group.id)) == []
        assert group_of(behind, group.name) is not None, "the group is theirs"
    finally:
        identity.delete_group(group)


def test_a_group_that_is_missing_is_refused_or_made_and_one_we_made_goes_with_the_project(
    opened: Opened, behind: Behind, code: str
) -> None:
    name = f"{code}-operators"
    with opened(department_group="{department}-operators") as driver:
        with pytest.raises(Permanent) as refused:
            use(driver, code)
        assert (refused.value.problem.code, refused.value.problem.params["group"]) == ("openstack.group_missing", name)
        assert group_of(behind, name) is None
    with opened(department_group="{department}-operators", department_group_missing="make") as driver:
        use(driver, code)
        assert roles_in(behind, code, group_of(behind, name).id) == ["reader"]
        driver.ensure_department_absent(code)
        assert group_of(behind, name) is None
        driver.ensure_department_absent(code)


def test_a_group_we_made_that_others_gave_a_role_stays(opened: Opened, behind: Behind, code: str) -> None:
    identity, name = behind.cloud.identity, f"{code}-operators"
    other = identity.find_project("service")
    with opened(department_group="{department}-operators", department_group_missing="make") as driver:
        use(driver, code)
        group = group_of(behind, name)
        identity.assign_project_role_to_group(other, group, identity.find_role("reader"))
        driver.ensure_department_absent(code)
    try:
        (left,) = identity.role_assignments(group_id=group.id)
        assert left.scope["project"]["id"] == other.id
    finally:
        identity.delete_group(group)


def test_a_role_that_implies_one_too_strong_is_not_given(opened: Opened, behind: Behind, code: str) -> None:
    identity = behind.cloud.identity
    first, second = (identity.create_role(name=f"{code}-{n}") for n in (1, 2))
    try:
        # Keystone lets no role imply ``admin`` unless it is told to; that of services is as good.
        for prior, implied in ((first, second), (second, identity.find_role("service"))):
            answer = identity.put(f"/roles/{prior.id}/implies/{implied.id}")
            assert answer.status_code == 201, answer.text
        with opened(
            department_group="{department}-operators", department_role=first.name, department_group_missing="make"
        ) as driver:
            with pytest.raises(Permanent) as refused:
                use(driver, code)
            driver.ensure_department_absent(code)
        problem = refused.value.problem
        assert (problem.code, problem.params) == ("openstack.role_too_strong", {"role": first.name, "implied": "service"})
        assert group_of(behind, f"{code}-operators") is None
    finally:
        identity.delete_role(first)
        identity.delete_role(second)


def test_a_role_the_region_does_not_have_is_named(opened: Opened, code: str) -> None:
    with opened(department_group="auditors", department_role="watcher") as driver:
        with pytest.raises(Permanent) as refused:
            use(driver, code)
        driver.ensure_department_absent(code)
    problem = refused.value.problem
    assert (problem.code, problem.params["role"]) == ("openstack.role_missing", "watcher")
    assert "reader" in problem.params["known"]
