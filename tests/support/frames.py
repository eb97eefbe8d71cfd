"""Every frame on every interface of a private host, to prove what a guest really sent and how far it came."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from tests.support.libvirtd import PrivateLibvirtd

SNIFFER = Path(__file__).with_name("sniffer.py")
ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMP, UDP = 1, 17
LAST_WORDS_S = 30


@dataclass(frozen=True)
class Frame:
    """One Ethernet frame and where it was seen."""

    interface: str
    data: bytes

    @property
    def source_mac(self) -> str:
        return self.data[6:12].hex(":")

    @property
    def kind(self) -> int:
        """Return the EtherType."""
        return int.from_bytes(self.data[12:14])

    @property
    def protocol(self) -> int:
        """Return the protocol of an IPv4 packet."""
        return self.data[23] if self.kind == IPV4 else -1

    @property
    def source(self) -> str:
        """Return the address of the sender: of an IPv4 packet, or said by an ARP frame."""
        return _address(self.data, 26) if self.kind == IPV4 else _address(self.data, 28) if self.kind == ARP else ""

    @property
    def target(self) -> str:
        """Return the address of the receiver of an IPv4 packet."""
        return _address(self.data, 30) if self.kind == IPV4 else ""


def _address(data: bytes, at: int) -> str:
    return str(IPv4Address(data[at : at + 4]))


@dataclass
class Seen:
    """What passed while somebody looked."""

    frames: list[Frame] = field(default_factory=list)

    def interfaces(self, is_meant: Callable[[Frame], bool]) -> set[str]:
        """Return every interface on which such a frame was seen."""
        return {frame.interface for frame in self.frames if is_meant(frame)}


@contextmanager
def watching(host: PrivateLibvirtd) -> Iterator[Seen]:
    """Look at every interface of the host; what was seen is there when the block has ended."""
    enter = ("nsenter", "-t", str(host.init_pid), "-n", "--")
    seen = Seen()
    with subprocess.Popen(
        [*enter, sys.executable, "-I", str(SNIFFER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield seen
        finally:
            out, _ = process.communicate(timeout=LAST_WORDS_S)
        assert process.returncode == 0, out[-2000:]
        pairs = (line.split() for line in out.splitlines())
        seen.frames += [Frame(interface, bytes.fromhex(data)) for interface, data in pairs]
