"""What ``clouds.yaml`` says of the way in: certificates of one's own authority, and the scope of a credential."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from drivers.faults import DriverFault, Permanent, Transient
from drivers.openstack.driver import OpenStackDriver
from inventory.domain.resource import Observed
from tests.openstack.authority import Authority
from tests.openstack.harness import Behind, driver_of
from tests.openstack.proxy import proxied_clouds
from tests.openstack.region.region import Region
from tests.openstack.wish import assert_made_once, assert_nothing_left, wish_on

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

HYPERVISOR = "hv-005"
ADDRESS = "IP:127.0.0.1"
WayIn = Callable[..., AbstractContextManager[OpenStackDriver]]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    directory = tmp_path / "authority"
    directory.mkdir()
    return Authority(directory)


@pytest.fixture
def way_in(region: Region, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WayIn:
    """Open the region through TLS, with what its entry in ``clouds.yaml`` says of certificates."""

    @contextmanager
    def opened(*lines: str, name: str = ADDRESS, asks_client: bool = False) -> Iterator[OpenStackDriver]:
        context = authority.serving(authority.issue("region", name), asks_client=asks_client)
        with proxied_clouds(region.layout, tmp_path, tls=context, attempts=1) as proxies:
            file = tmp_path / "clouds.yaml"
            file.write_text(file.read_text() + "".join(f"    {line}\n" for line in lines))
            monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
            driver = driver_of(f"openstack://proxied/{HYPERVISOR}")
            assert isinstance(driver, OpenStackDriver)
            yield driver
            driver.close()
            services = {asked.service for asked in proxies.asked}
            assert services in (set(), {"keystone", "placement", "nova", "neutron", "cinder", "glance", "octavia"})

    return opened


def refused(driver: OpenStackDriver) -> DriverFault:
    with pytest.raises(DriverFault) as fault:
        driver.observe()
    return fault.value


def test_a_machine_is_made_through_tls_of_an_authority_of_ones_own(
    way_in: WayIn, authority: Authority, behind: Behind, tmp_path: Path
) -> None:
    with way_in(f"cacert: {authority.own.certificate}") as driver:
        wish = wish_on(driver, tmp_path)
        try:
            assert wish.make().state is Observed.RUNNING
            assert_made_once(behind, wish)
            assert driver.balancer_ids() is not None
        finally:
            wish.remove()
            behind.remove_images(wish.image)
        assert_nothing_left(behind, wish)


def test_a_certificate_nobody_vouches_for_is_refused_and_said_so(way_in: WayIn) -> None:
    with way_in() as driver:
        fault = refused(driver)
    assert isinstance(fault, Transient)
    assert (fault.problem.code, fault.problem.params["connection"]) == ("driver.certificate_refused", "openstack://proxied")


def test_a_certificate_of_another_name_is_refused(way_in: WayIn, authority: Authority) -> None:
    with way_in(f"cacert: {authority.own.certificate}", name="DNS:other.example.gov.cn") as driver:
        assert refused(driver).problem.code == "driver.certificate_refused"


def test_a_region_that_asks_for_our_certificate_gets_it(way_in: WayIn, authority: Authority) -> None:
    ours = authority.issue("allotment", "DNS:allotment")
    trusted = f"cacert: {authority.own.certificate}"
    with way_in(trusted, asks_client=True) as driver:
        # Who is at fault cannot be told: the region hangs up.
        assert refused(driver).problem.code == "driver.unreachable"
    with way_in(trusted, f"cert: {ours.certificate}", f"key: {ours.key}", asks_client=True) as driver:
        driver.observe()
        assert driver.balancer_ids() is not None


def test_a_credential_of_the_whole_system_is_in_no_project_and_says_so(region: Region) -> None:
    driver = driver_of("openstack://system/hv-001")
    with pytest.raises(Permanent) as unsuitable:
        driver.observe()
    driver.close()
    assert unsuitable.value.problem.code == "openstack.project_missing"
