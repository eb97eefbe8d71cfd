"""libvirt's error codes as driver faults: one table, never decided by the text of a message.

Pure: it takes the number, so that it can be tested without a hypervisor.
"""

from enum import Enum

import libvirt

from drivers.faults import DriverFault, OutcomeUnknown, Permanent, Transient


class Answer(Enum):
    """What a code says about the same call made again."""

    #: Something is busy or down now.
    LATER = "later"
    #: The host will say no every time.
    NEVER = "never"
    #: The thing is not there.
    MISSING = "missing"
    #: The host has no such function.
    UNSUPPORTED = "unsupported"
    #: This controller is not let in.
    DENIED = "denied"
    #: The connection broke under the call.
    LOST = "lost"


_TABLE = {
    Answer.LATER: (
        libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_OPERATION_ABORTED,
        libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_UNSYNCED, libvirt.VIR_ERR_RESOURCE_BUSY,
        libvirt.VIR_ERR_BLOCK_COPY_ACTIVE, libvirt.VIR_ERR_NO_MEMORY, libvirt.VIR_ERR_SYSTEM_ERROR,
        libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_ERR_BUILD_FIREWALL,
    ),
    Answer.NEVER: (
        libvirt.VIR_ERR_CONFIG_UNSUPPORTED, libvirt.VIR_ERR_XML_ERROR, libvirt.VIR_ERR_XML_DETAIL,
        libvirt.VIR_ERR_XML_INVALID_SCHEMA, libvirt.VIR_ERR_PARSE_FAILED, libvirt.VIR_ERR_INVALID_ARG,
        libvirt.VIR_ERR_INVALID_MAC,
        libvirt.VIR_ERR_CPU_INCOMPATIBLE, libvirt.VIR_ERR_OS_TYPE, libvirt.VIR_ERR_NO_KERNEL, libvirt.VIR_ERR_NO_OS,
        libvirt.VIR_ERR_NO_NAME, libvirt.VIR_ERR_OVERFLOW, libvirt.VIR_ERR_DOM_EXIST, libvirt.VIR_ERR_NETWORK_EXIST,
        libvirt.VIR_ERR_STORAGE_VOL_EXIST, libvirt.VIR_ERR_CONF_SYNTAX, libvirt.VIR_ERR_INVALID_NWFILTER,
    ),
    Answer.MISSING: (
        libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_NETWORK, libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_NO_STORAGE_VOL,
        libvirt.VIR_ERR_NO_NWFILTER, libvirt.VIR_ERR_NO_DOMAIN_METADATA, libvirt.VIR_ERR_DEVICE_MISSING,
    ),
    Answer.UNSUPPORTED: (
        libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_OPERATION_UNSUPPORTED, libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
    ),
    Answer.DENIED: (
        libvirt.VIR_ERR_ACCESS_DENIED, libvirt.VIR_ERR_AUTH_FAILED, libvirt.VIR_ERR_AUTH_CANCELLED,
        libvirt.VIR_ERR_AUTH_UNAVAILABLE,
        libvirt.VIR_ERR_OPERATION_DENIED,
    ),
    Answer.LOST: (
        libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_NO_SERVER,
        libvirt.VIR_ERR_NO_CLIENT, libvirt.VIR_ERR_SSH, libvirt.VIR_ERR_LIBSSH, libvirt.VIR_ERR_GNUTLS_ERROR,
    ),
}  # fmt: skip
_ANSWERS = {code: answer for answer, codes in _TABLE.items() for code in codes}

BUSY_DELAY_S = 2.0
UNREACHABLE_DELAY_S = 5.0


def answer_of(code: int) -> Answer:
    """Return what ``code`` says; a code not in the table may pass by itself, and retries are bounded elsewhere."""
    return _ANSWERS.get(code, Answer.LATER)


def unreachable(uri: str, internal: str) -> Transient:
    """Return the fault of a call that never reached the host."""
    return Transient("driver.unreachable", delay_s=UNREACHABLE_DELAY_S, internal=internal, connection=uri)


def fault_of(code: int, *, uri: str, verb: str, is_alive: bool, changes: bool, internal: str) -> DriverFault:
    """Return the fault of a failed call.

    ``is_alive`` is the connection after the failure; ``changes`` tells whether the verb can have changed something.
    """
    answer = answer_of(code)
    if answer is Answer.LOST or not is_alive:
        if changes:
            return OutcomeUnknown("driver.outcome_unknown", internal=internal, connection=uri, verb=verb)
        return unreachable(uri, internal)
    if answer is Answer.DENIED:
        return Permanent("driver.access_denied", internal=internal, connection=uri)
    if answer is Answer.UNSUPPORTED:
        return Permanent("driver.unsupported", internal=internal, verb=verb)
    if answer is Answer.NEVER:
        return Permanent("driver.refused", internal=internal, verb=verb, reason=internal)
    return Transient("driver.call_failed", delay_s=BUSY_DELAY_S, internal=internal, verb=verb, reason=internal)
