"""Department networks of a host: the libvirt network, its address entries kept live, and the filter on every card.

The driver calls it inside ``Connection.calling``. The fence stands in the stored definition of the network, written last.
"""

import uuid
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from ipaddress import ip_interface
from typing import Any

import libvirt

from drivers.faults import Permanent, StaleFence, Transient
from drivers.libvirt import names
from drivers.libvirt.domain_xml import read_domain
from drivers.libvirt.network_xml import (
    filter_text,
    lease_text,
    named_once,
    read_leases,
    read_segment_mark,
    read_subnet,
    segment_text,
)
from drivers.libvirt.xml_tree import Element, add, to_text
from drivers.protocol import LeaseEntry, SegmentRequest
from inventory.domain.ids import ResourceId, is_id, uuid_of

#: Where Linux says whether frames between bridge ports pass the connection rules.
BRIDGE_SETTINGS = "/proc/sys/net/bridge"
BRIDGE_SETTING = "bridge-nf-call-iptables"
_LOOK_PREFIX = "allotment-look-"
#: Two that look at the same time may spoil each other's look.
LOOKS_MOST = 10


def find_network(connection: Any, segment_id: ResourceId) -> Any:
    """Return the network of a segment, None where there is none.

    Raises:
        Permanent: ``driver.not_ours``, a network of that name or UUID carries no mark of ours.
    """
    try:
        network = connection.networkLookupByUUIDString(str(uuid_of(segment_id)))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:
            raise
        return None
    if _stored_mark(network) is None:
        raise Permanent("driver.not_ours", kind="network", name=network.name())
    return network


def _stored_text(network: Any) -> str:
    try:
        text: str = network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)
    except libvirt.libvirtError as error:
        # The test driver has one definition only and refuses to be asked for the other.
        if error.get_error_code() != libvirt.VIR_ERR_INVALID_ARG:
            raise
        text = network.XMLDesc(0)
    return text


def _stored_mark(network: Any) -> tuple[ResourceId, int] | None:
    return read_segment_mark(_stored_text(network))


def check_fence(network: Any, segment_id: ResourceId, fence: int) -> None:
    """Raise ``StaleFence`` if a newer hold has acted on the network."""
    mark = _stored_mark(network)
    if mark is not None and mark[1] > fence:
        raise StaleFence(resource_id=segment_id, given=fence, found=mark[1])


def segment_ids(connection: Any) -> frozenset[ResourceId]:
    """Return the segments of ours that are there."""
    ours = (n for n in connection.listAllNetworks() if is_id(n.name(), "segment"))
    return frozenset(ResourceId(n.name()) for n in ours if _is_still_marked(n))


def _is_still_marked(network: Any) -> bool:
    try:
        return _stored_mark(network) is not None
    except libvirt.libvirtError as error:
        # Gone between the list and the look.
        if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:
            raise
        return False


def ensure_segment(connection: Any, request: SegmentRequest, fence: int, *, is_test: bool) -> None:
    """Have network, filter and exactly these addresses; a running network is changed without a pause."""
    request = replace(request, leases=named_once(request.leases))
    network = find_network(connection, request.segment_id)
    if network is not None:
        check_fence(network, request.segment_id, fence)
        _same_subnet(network, request)
    if not is_test:
        ensure_filter(connection, request)
    if network is not None and network.isActive():
        update_leases(network, request.leases)
    network = connection.networkDefineXML(segment_text(request, fence))
    network.setAutostart(1)
    if not network.isActive():
        network.create()


def _same_subnet(network: Any, request: SegmentRequest) -> None:
    gateway, prefix = read_subnet(_stored_text(network))
    if (gateway, prefix) != (request.gateway, request.cidr.partition("/")[2]):
        raise Permanent("driver.segment_differs", segment_id=request.segment_id, found=f"{gateway}/{prefix}", wanted=request.cidr)


def update_leases(network: Any, wanted: tuple[LeaseEntry, ...]) -> None:
    """Bring the address entries of a running network to ``wanted``: gone ones first, their address may be given anew."""
    present = read_leases(network.XMLDesc())
    changes = [(libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, e) for e in sorted(present - set(wanted), key=lambda e: e.mac)]
    changes += [(libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, e) for e in sorted(set(wanted) - present, key=lambda e: e.mac)]
    for command, entry in changes:
        section, flags = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE
        network.update(command, section, -1, lease_text(entry), flags)


def ensure_segment_absent(connection: Any, segment_id: ResourceId, fence: int, *, is_test: bool) -> None:
    """Have no such network and no filter of it.

    Raises:
        Transient: ``driver.segment_in_use``, a card is plugged in.
    """
    network = find_network(connection, segment_id)
    if network is not None:
        check_fence(network, segment_id, fence)
        if any(segment_id in _networks_of(d) for d in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)):
            raise Transient("driver.segment_in_use", segment_id=segment_id)
        if network.isActive():
            network.destroy()
        network.undefine()
    if not is_test:
        filter_ = find_filter(connection, names.filter_name(segment_id))
        if filter_ is not None:
            filter_.undefine()


def ensure_active(connection: Any, segment_id: ResourceId, *, has_filters: bool) -> None:
    """Have the network of a machine up, as it must be after a restart of the host, and its filter, whoever removed it.

    Raises:
        Transient: ``driver.segment_missing``.
    """
    network = find_network(connection, segment_id)
    if network is None:
        raise Transient("driver.segment_missing", segment_id=segment_id)
    if not network.isActive():
        network.create()
    if has_filters and find_filter(connection, names.filter_name(segment_id)) is None:
        gateway, prefix = read_subnet(_stored_text(network))
        cidr = str(ip_interface(f"{gateway}/{prefix}").network)
        ensure_filter(connection, SegmentRequest(segment_id=segment_id, cidr=cidr, gateway=gateway, department=""))


def _networks_of(domain: Any) -> frozenset[str]:
    try:
        return read_domain(domain.XMLDesc()).networks
    except libvirt.libvirtError as error:
        # Gone between the list and the look.
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return frozenset()


# --- filters -------------------------------------------------------------------------------------------------------------


def find_filter(connection: Any, name: str) -> Any:
    """Return a packet filter, None where there is none."""
    try:
        return connection.nwfilterLookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_NWFILTER:
            raise
        return None


def ensure_filter(connection: Any, request: SegmentRequest) -> None:
    """Have the filter of a segment; its rules follow from the subnet, which never changes, so it is written once."""
    if find_filter(connection, names.filter_name(request.segment_id)) is None:
        connection.nwfilterDefineXML(filter_text(request))


def filters_bridged_frames(connection: Any) -> bool:
    """Tell whether the host lets bridged frames pass its connection rules; without that nothing holds a guest back.

    Read through the storage API, the one way libvirt has to read a small file of a remote host: a transient pool over
    the kernel's settings, gone again at once. libvirt allows one pool of a directory: another controller's look, or what
    a killed one left behind, is used and removed as ours would be.
    """
    for _ in range(LOOKS_MOST):
        try:
            pool = _settings_pool(connection)
            if pool is not None:
                return _read_setting(connection, pool)
        except libvirt.libvirtError as error:
            if not connection.isAlive():
                raise
            if error.get_error_code() == libvirt.VIR_ERR_SYSTEM_ERROR:
                # The module is not loaded: there is no such directory.
                return False
    raise Transient("driver.call_failed", verb="filters", reason=f"{BRIDGE_SETTINGS} could not be read")


def is_look(pool_name: str) -> bool:
    """Tell whether a pool holds no storage: a controller looks at the host's settings through it and removes it at once."""
    return pool_name.startswith(_LOOK_PREFIX)


def _settings_pool(connection: Any) -> Any:
    """Return a pool over the kernel's settings; None when somebody else's was in the way and is gone by now."""
    root = Element("pool", type="dir")
    add(root, "name", f"{_LOOK_PREFIX}{uuid.uuid4()}")
    add(add(root, "target"), "path", BRIDGE_SETTINGS)
    try:
        return connection.storagePoolCreateXML(to_text(root))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_OPERATION_FAILED:
            raise
        others = (p for p in connection.listAllStoragePools() if is_look(p.name()))
        return next(others, None)


def _read_setting(connection: Any, pool: Any) -> bool:
    try:
        stream = connection.newStream()
        pool.storageVolLookupByName(BRIDGE_SETTING).download(stream, 0, 0)
        value = BytesIO()
        stream.recvAll(lambda _stream, data, _context: value.write(data), None)
        stream.finish()
        return value.getvalue().strip() == b"1"
    finally:
        with suppress(libvirt.libvirtError):
            pool.destroy()
