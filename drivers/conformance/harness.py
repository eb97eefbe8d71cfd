"""What the suite must be given: one host to play with, and ways to look behind the driver's back."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from drivers.protocol import ComputeDriver, ImageSource, LeaseEntry
from inventory.domain.ids import NewId, ResourceId
from inventory.domain.resource import ResourceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """One host and the means to test its driver. The optional probes each unlock some checks."""

    #: A new connection to always the same host.
    open_driver: Callable[[], ComputeDriver]
    #: A good image; it need not boot, unless the console is to show something.
    image: ImageSource
    #: An existing storage pool of the host.
    storage_pool: str
    new_id: NewId
    #: A network no other check has had, at least a /28, for example ``10.250.3.0/26``.
    new_cidr: Callable[[], str]
    #: Make a running machine that is not ours and return its UUID; take it away again.
    make_foreign: Callable[[], str]
    remove_foreign: Callable[[str], None]
    #: How long a guest of the image may take to shut down when asked.
    graceful_s: float = 1.0
    #: Where data disks are, if not in the same storage pool.
    data_pool: str = ""
    #: How long to wait for console output and events.
    deadline_s: float = 10.0
    #: Waits between two looks.
    pause: Callable[[float], None] = time.sleep
    vcpu_count: int = 1
    memory_mib: int = 128
    #: Size after a cold resize.
    resized_vcpu_count: int = 2
    resized_memory_mib: int = 192
    #: Kinds whose fence the back end can hold.
    fenced: frozenset[ResourceKind] = frozenset(ResourceKind)

    #: The address entries a network really has.
    leases_of: Callable[[ResourceId], Collection[LeaseEntry]] | None = None
    #: How many image uploads the host has seen so far.
    upload_count: Callable[[], int] | None = None
    #: Whether the host holds (any part of) an image.
    holds_image: Callable[[ImageSource], bool] | None = None
    #: Names of whatever at the back end still belongs to an instance: definition, disk, seed, log.
    leftovers: Callable[[ResourceId], Sequence[str]] | None = None
    #: How often a machine was booted so far.
    boot_count: Callable[[ResourceId], int] | None = None
    #: What somebody may do to a running machine behind the driver's back: write other vCPUs into its stored definition; take
    #: a data disk out; take the packet filter from its first card, plugged into another network where one is named.
    edit_stored: Callable[[ResourceId, int], None] | None = None
    unplug_disk: Callable[[ResourceId, ResourceId], None] | None = None
    meddle_card: Callable[[ResourceId, str], None] | None = None
    #: Take away what whoever did so left behind that is theirs, and that no driver would touch.
    tidy_after_meddling: Callable[[], None] | None = None
    #: The same to a department network: let something through it that nobody asked for.
    meddle_rules: Callable[[ResourceId], None] | None = None
    #: A driver of a host that does not answer (may raise the fault itself).
    open_unreachable: Callable[[], ComputeDriver] | None = None
    #: A second host machines may be brought to, by its driver, its connection and its id.
    open_target: Callable[[], ComputeDriver] | None = None
    target_connection: str = ""
    target_id: str = ""
    #: Let the host fail, as if its power were cut, and have it back; the second host can be given what it had.
    lose_host: Callable[[], None] | None = None
    return_host: Callable[[], None] | None = None
    #: Name of a network outside that department networks may be connected to.
    outside: str | None = None
    #: Put a certificate into the key manager, where load balancers of the suite's department may show it, and return its name;
    #: tell whether it is still there; take it away. And have a load balancer show another one, behind the driver's back.
    make_certificate: Callable[[], str] | None = None
    holds_certificate: Callable[[str], bool] | None = None
    remove_certificate: Callable[[str], None] | None = None
    meddle_certificate: Callable[[ResourceId, str], None] | None = None
    #: Let the next changing request to the host get lost without a word.
    lose_next_request: Callable[[], None] | None = None
