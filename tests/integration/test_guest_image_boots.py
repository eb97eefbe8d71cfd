"""The demo image keeps its promises: boots from its disk, reads its seed, serves its name, powers off when asked."""

import io
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pycdlib
import pytest

from tests.support.guest_image import GuestImage, guest_image

_BOOT_DEADLINE_S = 120
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAllotAllotAllotAllotAllotAllotAllotAllotAllo"
_META_DATA = "instance-id: inst-1\nlocal-hostname: from-meta\n"
_USER_DATA = f"""#cloud-config
hostname: portal-web-1
ssh_authorized_keys:
- {_KEY}
    zhang@example
runcmd:
- echo plain $((6*7)) > /var/www/ran
- [sh, -c, 'echo "two words" >> /var/www/ran']
- cp /root/.ssh/authorized_keys /var/www/keys
"""


@dataclass(frozen=True)
class Guest:
    process: subprocess.Popen[bytes]
    port: int
    console: Path
    monitor: Path

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=20)

    def press_power_button(self) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.monitor))
            stream = client.makefile("rw")
            for command in ("qmp_capabilities", "system_powerdown"):
                stream.readline()
                stream.write(json.dumps({"execute": command}) + "\n")
                stream.flush()
            stream.readline()


def write_seed(path: Path, meta_data: str, user_data: str) -> None:
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident="cidata")
    for short, name, text in (("/META.;1", "meta-data", meta_data), ("/USER.;1", "user-data", user_data)):
        data = text.encode()
        iso.add_fp(io.BytesIO(data), len(data), short, rr_name=name, joliet_path=f"/{name}")
    iso.write(str(path))
    iso.close()


def wait_for(condition: Callable[[], bool], deadline_s: float, guest: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert guest.poll() is None, "QEMU ended"
        assert time.monotonic() < end, "the guest was not ready in time"
        threading.Event().wait(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def booted(image: GuestImage, work: Path, user_data: str, *boot: str) -> Iterator[Guest]:
    write_seed(work / "seed.iso", _META_DATA, user_data)
    overlay = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(image.qcow2), str(work / "root.qcow2"), "1G"]
    subprocess.run(overlay, check=True)
    (work / "data.raw").write_bytes(b"")
    with (work / "data.raw").open("r+b") as data:
        data.truncate(32 << 20)
    port = free_port()
    command = [
        *("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-m", "128", "-nographic", "-nodefaults", "-no-user-config"),
        *("-drive", f"file={work}/data.raw,format=raw,if=none,id=data", "-device", "virtio-blk-pci,drive=data"),
        *("-drive", f"file={work}/seed.iso,format=raw,if=none,id=seed,readonly=on", "-device", "virtio-blk-pci,drive=seed"),
        *("-drive", f"file={work}/root.qcow2,if=none,id=root", "-device", "virtio-blk-pci,drive=root,bootindex=1"),
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:80", "-device", "virtio-net-pci,netdev=net,romfile="),
        *("-serial", f"file:{work}/console.log", "-qmp", f"unix:{work}/qmp,server,nowait", *boot),
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    guest = Guest(process, port, work / "console.log", work / "qmp")
    try:
        wait_for(lambda: b" READY " in read(guest.console), _BOOT_DEADLINE_S, process)
        yield guest
    finally:
        process.kill()
        process.wait(10)


def read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


@pytest.fixture(scope="module")
def image() -> GuestImage:
    return guest_image()


def test_the_image_boots_from_its_disk_and_does_what_its_seed_says(image: GuestImage, tmp_path: Path) -> None:
    with booted(image, tmp_path, _USER_DATA) as guest, socket.create_server(("127.0.0.1", 0)) as listener:
        page = "hostname=portal-web-1 instance-id=inst-1 ip=10.0.2.15"
        ready = re.compile(rf"ALLOT-GUEST READY {re.escape(page)} uptime=\d+\.\d+\r?\n".encode())
        # The serial line is slow: the page is served before its last letters are through.
        wait_for(lambda: ready.search(read(guest.console)) is not None, _BOOT_DEADLINE_S, guest.process)
        assert guest.get("/").text == page + "\n"
        assert guest.get("/ran").text == "plain 42\ntwo words\n"
        assert guest.get("/keys").text == _KEY + "\n"
        assert guest.get("/cgi-bin/disks").text.splitlines() == [
            "/dev/vda bytes=33554432 read_only=0",
            f"/dev/vdb bytes={(tmp_path / 'seed.iso').stat().st_size} read_only=1",
            "/dev/vdc bytes=1073741824 read_only=0",
        ]
        assert "ip=10.0.2.15\nmask=24\nrouter=10.0.2.2\n" in guest.get("/cgi-bin/lease").text
        open_port = listener.getsockname()[1]
        assert guest.get(f"/cgi-bin/probe?10.0.2.2:{open_port}").text == "open\n"
        assert guest.get(f"/cgi-bin/probe?10.0.2.2:{free_port()}").text == "blocked\n"
        assert guest.get("/cgi-bin/probe?$(reboot):80").status_code == 400
        guest.press_power_button()
        assert guest.process.wait(30) == 0
        assert b"ALLOT-GUEST STOPPING" in guest.console.read_bytes()


def test_the_same_kernel_boots_directly_and_runs_a_script_as_user_data(image: GuestImage, tmp_path: Path) -> None:
    direct = ("-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", image.kernel_arguments)
    with booted(image, tmp_path, "#!/bin/sh\nhostname > /var/www/ran\n", *direct) as guest:
        assert guest.get("/").text == "hostname=from-meta instance-id=inst-1 ip=10.0.2.15\n"
        assert guest.get("/ran").text == "from-meta\n"
