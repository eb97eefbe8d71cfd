"""libvirt's numbers as ours: error codes, states, counters, host facts."""

import libvirt
import pytest

from drivers.faults import DriverFault, OutcomeUnknown, Permanent, Transient
from drivers.libvirt.events import event_state
from drivers.libvirt.host_facts import arch_of, dotted, machine_types, read_cells
from drivers.libvirt.machines import is_named_as_ours, state_of, stats_of
from drivers.libvirt.translate_errors import Answer, answer_of, fault_of
from drivers.libvirt.virtualisation import offers_kvm, probe_text
from drivers.libvirt.xml_tree import parse
from inventory.domain.ids import ResourceId, uuid_of
from inventory.domain.resource import Observed

INSTANCE = ResourceId("inst_0190a8f0c1de7abc8def0123456789ab")
CAPABILITIES = """<capabilities><host><cpu><arch>x86_64</arch></cpu></host>
<guest><os_type>hvm</os_type><arch name='i686'><machine>pc</machine><domain type='qemu'/></arch></guest>
<guest><os_type>hvm</os_type><arch name='x86_64'><machine>q35</machine><machine>pc</machine>
<domain type='qemu'/>{kvm}</arch></guest>
</capabilities>"""


def fault(code: int, *, is_alive: bool = True, changes: bool = True) -> DriverFault:
    return fault_of(code, uri="qemu:///system", verb="ensure_running", is_alive=is_alive, changes=changes, internal="said")


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (libvirt.VIR_ERR_OPERATION_TIMEOUT, Transient, "driver.call_failed"),
        (libvirt.VIR_ERR_INTERNAL_ERROR, Transient, "driver.call_failed"),
        (libvirt.VIR_ERR_NO_DOMAIN, Transient, "driver.call_failed"),
        (999_999, Transient, "driver.call_failed"),
        (libvirt.VIR_ERR_CONFIG_UNSUPPORTED, Permanent, "driver.refused"),
        (libvirt.VIR_ERR_XML_ERROR, Permanent, "driver.refused"),
        (libvirt.VIR_ERR_NO_SUPPORT, Permanent, "driver.unsupported"),
        (libvirt.VIR_ERR_AUTH_FAILED, Permanent, "driver.access_denied"),
        (libvirt.VIR_ERR_ACCESS_DENIED, Permanent, "driver.access_denied"),
        (libvirt.VIR_ERR_RPC, OutcomeUnknown, "driver.outcome_unknown"),
    ],
)
def test_code_decides_the_fault(code: int, kind: type[DriverFault], text: str) -> None:
    found = fault(code)
    assert type(found) is kind
    assert found.problem.code == text
    assert found.internal == "said"


@pytest.mark.parametrize("code", [libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_CONFIG_UNSUPPORTED, libvirt.VIR_ERR_RPC])
def test_lost_connection_leaves_the_outcome_of_a_change_unknown(code: int) -> None:
    assert type(fault(code, is_alive=False)) is OutcomeUnknown


def test_lost_connection_while_reading_is_simply_unreachable() -> None:
    found = fault(libvirt.VIR_ERR_INTERNAL_ERROR, is_alive=False, changes=False)
    assert type(found) is Transient
    assert found.problem.code == "driver.unreachable"


def test_every_code_stands_in_the_table_once() -> None:
    assert answer_of(libvirt.VIR_ERR_NO_STORAGE_VOL) is Answer.MISSING
    assert answer_of(libvirt.VIR_ERR_OK) is Answer.LATER


@pytest.mark.parametrize(
    ("state", "reason", "expected"),
    [
        (libvirt.VIR_DOMAIN_RUNNING, 0, (Observed.RUNNING, "")),
        (libvirt.VIR_DOMAIN_SHUTDOWN, 0, (Observed.RUNNING, "")),
        (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN, (Observed.STOPPED, "shutdown")),
        (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED, (Observed.STOPPED, "crashed")),
        (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_UNKNOWN, (Observed.STOPPED, "")),
        (libvirt.VIR_DOMAIN_CRASHED, 0, (Observed.STOPPED, "crashed")),
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR, (Observed.UNKNOWN, "paused")),
        (libvirt.VIR_DOMAIN_PMSUSPENDED, 0, (Observed.UNKNOWN, "suspended")),
        (libvirt.VIR_DOMAIN_NOSTATE, 0, (Observed.UNKNOWN, "")),
    ],
)
def test_state_is_translated_and_unknown_stays_unknown(state: int, reason: int, expected: tuple[Observed, str]) -> None:
    assert state_of(state, reason) == expected


def test_events_speak_of_states() -> None:
    assert event_state(libvirt.VIR_DOMAIN_EVENT_STARTED) is Observed.RUNNING
    assert event_state(libvirt.VIR_DOMAIN_EVENT_STOPPED) is Observed.STOPPED
    assert event_state(libvirt.VIR_DOMAIN_EVENT_UNDEFINED) is Observed.ABSENT
    assert event_state(libvirt.VIR_DOMAIN_EVENT_SUSPENDED) is Observed.UNKNOWN


def test_counters_are_summed_over_devices() -> None:
    record = {
        "cpu.time": 5, "vcpu.0.time": 1, "vcpu.1.time": 2, "balloon.available": 2048, "balloon.usable": 1024,
        "block.0.rd.bytes": 10, "block.1.rd.bytes": 20, "block.0.wr.bytes": 3, "net.0.rx.bytes": 7, "net.0.tx.bytes": 8,
    }  # fmt: skip
    found = stats_of(INSTANCE, record)
    assert (found.cpu_time_ns, found.memory_used_mib, found.disk_read_bytes, found.disk_written_bytes) == (5, 1, 30, 3)
    assert (found.network_received_bytes, found.network_sent_bytes) == (7, 8)


def test_counters_that_are_missing_are_none_not_zero() -> None:
    found = stats_of(INSTANCE, {"state.state": 1})
    assert (found.cpu_time_ns, found.memory_used_mib, found.disk_read_bytes, found.network_sent_bytes) == (None, None, None, None)
    assert stats_of(INSTANCE, {"vcpu.0.time": 4, "vcpu.1.time": 6}).cpu_time_ns == 10


def test_name_and_uuid_must_agree_to_be_ours() -> None:
    assert is_named_as_ours(INSTANCE, str(uuid_of(INSTANCE)))
    assert not is_named_as_ours(INSTANCE, "6695eb01-f6a4-8304-79aa-97f2502e193f")
    assert not is_named_as_ours("web", str(uuid_of(INSTANCE)))


@pytest.mark.parametrize(("kvm", "offered"), [("<domain type='kvm'/>", True), ("", False)])
def test_kvm_is_offered_only_where_the_own_architecture_names_it(kvm: str, offered: bool) -> None:
    assert offers_kvm(CAPABILITIES.format(kvm=kvm), "x86_64") is offered
    assert not offers_kvm(CAPABILITIES.format(kvm=kvm), "i686")


def test_host_facts_are_read_from_the_capabilities() -> None:
    assert arch_of(CAPABILITIES) == "x86_64"
    assert machine_types(CAPABILITIES, "x86_64") == ("pc", "q35")
    assert dotted(9_000_000) == "9.0.0"
    assert dotted(7_002_022) == "7.2.22"


def test_cells_are_read_with_their_cores_and_huge_pages() -> None:
    cells = """<capabilities><host><topology><cells num='2'>
    <cell id='0'><memory unit='KiB'>8388608</memory><pages unit='KiB' size='4'>1048576</pages>
    <pages unit='KiB' size='2048'>1024</pages><pages unit='KiB' size='1048576'>2</pages>
    <cpus num='4'><cpu id='0' siblings='0,4'/><cpu id='1' siblings='1,5'/><cpu id='4' siblings='0,4'/><cpu id='5' siblings='1,5'/>
    </cpus></cell>
    <cell id='1'><memory unit='KiB'>4194304</memory><pages unit='KiB' size='4'>1048576</pages>
    <pages unit='KiB' size='2048'>0</pages>
    <cpus num='1'><cpu id='2' siblings='2-3'/><cpu id='3' siblings='2-3'/></cpus></cell>
    </cells></topology></host></capabilities>"""
    first, second = read_cells(parse(cells))
    assert (first.id, first.memory_mib, first.cores) == (0, 8192, "0,4 1,5")
    assert first.huge_mib == ((2048, 2048), (1048576, 2048))
    assert first.ordinary_mib == 4096
    assert (second.id, second.cores, second.huge_mib) == (1, "2,3", ())


def test_probe_asks_for_the_processor_that_guests_would_get() -> None:
    text = probe_text("x86_64", uuid_of(INSTANCE))
    assert 'mode="host-passthrough"' in text
    assert 'useserial="yes"' in text
    assert "useserial" not in probe_text("aarch64", uuid_of(INSTANCE))
