"""A host that is reached by ``qemu+tls://`` only: everything the driver does goes over that one connection."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.faults import Transient
from drivers.libvirt.driver import LibvirtDriver
from drivers.protocol import ImageSource
from inventory.domain.resource import Observed
from tests.support.certificates import make_authority, make_pair
from tests.support.libvirt_host import POOL, define_pool, domain_names, driver_of
from tests.support.libvirt_lab import Lab
from tests.support.libvirtd import PrivateLibvirtd, private_libvirtd
from tests.support.scratch import directory_on_disk

pytestmark = pytest.mark.libvirt

SERVER = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"
CLIENT = "extendedKeyUsage=clientAuth\n"
TLS_CONF = """
listen_tls = 1
listen_addr = "127.0.0.1"
key_file = "/etc/libvirt/pki/serverkey.pem"
cert_file = "/etc/libvirt/pki/servercert.pem"
ca_file = "/etc/libvirt/pki/cacert.pem"
"""


@dataclass(frozen=True)
class Far:
    """The host, and the certificates of a client it knows and of one it does not."""

    host: PrivateLibvirtd
    known: Path
    stranger: Path

    def uri(self, certificates: Path) -> str:
        return f"qemu+tls://localhost/system?pkipath={certificates}"


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    known, stranger = tmp_path_factory.mktemp("pki") / "known", tmp_path_factory.mktemp("pki") / "stranger"
    for directory in (known, stranger):
        make_authority(directory)
        make_pair(directory, "client", CLIENT)
    make_pair(known, "server", SERVER)
    # The stranger knows both authorities, so its own side finds nothing wrong; the host knows only one.
    trusted = (known / "cacert.pem").read_text() + (stranger / "cacert.pem").read_text()
    (stranger / "cacert.pem").write_text(trusted)

    def prepare(etc: Path) -> None:
        shutil.copytree(known, etc / "pki")
        conf = etc / "libvirtd.conf"
        conf.write_text(conf.read_text().replace("listen_tls = 0\n", "") + TLS_CONF)
        (etc / "listen").touch()

    with directory_on_disk("lt") as base, private_libvirtd(base, prepare) as host:
        define_pool(host.uri)
        yield Far(host, known, stranger)


def test_a_guest_lives_on_a_host_that_is_reached_over_tls(far: Far, kernel_image: ImageSource) -> None:
    with far.host.network():
        driver = driver_of(far.uri(far.known))
        assert isinstance(driver, LibvirtDriver)
        lab = Lab(far.host, driver)
        try:
            live(lab, kernel_image)
        finally:
            lab.clean()
    assert domain_names(far.host.uri) == []
    files = [f.name for f in (far.host.base / "lib/images").iterdir() if not f.name.startswith("img-")]
    assert files == [], "nothing but the image is left"


def live(lab: Lab, image: ImageSource) -> None:
    facts = lab.driver.inspect_host()
    assert (facts.hostname, [s.name for s in facts.storage]) == ("allot-test-host", [POOL])
    segment = lab.segment(("far-1",))
    machine = lab.machine(image, segment)
    uploaded = lab.host.base / "lib/images" / f"img-{image.sha256}.qcow2"
    assert uploaded.read_bytes() == image.path.read_bytes(), "the image went over the wire"
    lab.start(machine)
    # The seed arrived: the guest knows its name and its id from nothing else.
    assert f"hostname=far-1 instance-id={machine.instance_id} ip={machine.nics[0].address}" in lab.get(machine)
    log = lab.driver.console_log(machine.instance_id, 4096).decode()
    assert re.search(r"ALLOT-GUEST READY hostname=far-1", log)
    assert lab.driver.console_log(machine.instance_id, 10) == log.encode()[-10:]
    [seen] = lab.driver.observe().instances
    assert (seen.instance_id, seen.state) == (machine.instance_id, Observed.RUNNING)
    [stats] = lab.driver.stats()
    assert stats.cpu_time_ns
    assert lab.driver.ensure_stopped(machine.instance_id, 2, graceful_s=60).state is Observed.STOPPED
    lab.driver.ensure_absent(machine.instance_id, POOL, 3)
    assert lab.driver.observe_instance(machine.instance_id) is None


def test_a_client_nobody_vouches_for_is_not_let_in(far: Far) -> None:
    with far.host.network():
        driver = driver_of(far.uri(far.stranger))
        try:
            with pytest.raises(Transient) as refused:
                driver.observe()
        finally:
            driver.close()
    assert refused.value.problem.code == "driver.unreachable"
    assert "Failed to verify peer's certificate" in far.host.logs(), "it was the host that refused"
