"""The NoCloud seed: the same bytes for the same wishes, and readable by what cloud-init uses."""

import io
from dataclasses import replace

import pycdlib
import pytest

from drivers.libvirt import seed
from drivers.libvirt.seed import seed_digest, seed_files, seed_image
from drivers.protocol import MachineRequest, NicRequest, VolumeRequest
from inventory.domain.ids import ResourceId

INSTANCE = ResourceId("inst_0190a8f0c1de7abc8def0123456789ab")
SEGMENT = ResourceId("seg_0190a8f0c1de7abc8def0123456789cd")
MACHINE = MachineRequest(
    instance_id=INSTANCE,
    title="web",
    hostname="portal-web-1",
    vcpu_count=1,
    memory_mib=512,
    root=VolumeRequest(volume_id=INSTANCE, role="root", storage_pool="images", size_gib=1),
    nics=(NicRequest(segment_id=SEGMENT, mac="52:54:00:12:34:56", address="10.96.0.66"),),
    ssh_keys=("ssh-ed25519 AAAA 张三@example",),
)


def read_back(image: bytes, name: str) -> bytes:
    iso, out = pycdlib.PyCdlib(), io.BytesIO()
    iso.open_fp(io.BytesIO(image))
    iso.get_file_from_iso_fp(out, joliet_path=f"/{name}")
    iso.close()
    return out.getvalue()


@pytest.mark.parametrize("user_data", ["", "#!/bin/sh\necho 你好\n", "#cloud-config\n" + "x: 1\n" * 5000])
def test_seed_holds_its_files(user_data: str) -> None:
    machine = replace(MACHINE, user_data=user_data)
    image = seed_image(machine)
    for name, data in seed_files(machine).items():
        assert read_back(image, name) == data
    assert read_back(image, "user-data").decode() == (user_data or seed.EMPTY_USER_DATA)


def test_seed_carries_the_label_that_cloud_init_looks_for() -> None:
    image = seed_image(MACHINE)
    assert image[16 * 2048 + 40 : 16 * 2048 + 46] == b"cidata"


def test_seed_is_the_same_at_another_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = seed_image(MACHINE)
    monkeypatch.setattr("time.time", lambda: 86_400.0 * 365 * 9)
    assert seed_image(MACHINE) == now


def test_digest_follows_every_wish_in_the_seed() -> None:
    digests = {
        seed_digest(machine)
        for machine in (
            MACHINE,
            replace(MACHINE, hostname="other"),
            replace(MACHINE, user_data="#!/bin/sh\n"),
            replace(MACHINE, ssh_keys=()),
            replace(MACHINE, nics=()),
        )
    }
    assert len(digests) == 5
    assert seed_digest(replace(MACHINE, memory_mib=1024)) in digests


def test_hostname_and_keys_cannot_break_out_of_their_place() -> None:
    machine = replace(MACHINE, hostname='a"\nruncmd: [x]', ssh_keys=('k"\n- evil',))
    assert len(seed_files(machine)["meta-data"].decode().splitlines()) == 4
