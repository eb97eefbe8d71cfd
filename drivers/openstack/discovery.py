"""Finding a region's services and their versions: all of it, or not at all.

The SDK finds the way to a service when it is first used, and where the service did not answer that once, it goes on with a
guess (an address without a version) for as long as the connection lives. So every service is found when a connection is
made, and a connection that had to guess is given up.
"""

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

from drivers.faults import Permanent, Transient
from drivers.openstack.calls import Calls
from drivers.openstack.translate_errors import UNREACHABLE_DELAY_S

_VERSION = re.compile(r"/v\d")
#: Octavia answers at its versioned address with no version document: the address the SDK found must do.
_SAYS_NO_VERSION = frozenset({"load_balancer"})


def discover(sdk: Any, calls: Calls, services: Iterable[str]) -> None:
    """Find each service.

    Raises:
        DriverFault: ``driver.unreachable`` where one does not answer; the connection is closed then.
    """
    try:
        for service in services:
            _find(sdk, calls, service)
    except BaseException:
        sdk.close()
        raise


def require_project(sdk: Any, calls: Calls, cloud: str) -> None:
    """Refuse a credential that is in no project: what it made would be nobody's, and Cinder has no address for it.

    Raises:
        Permanent: ``openstack.project_missing``.
        DriverFault: Keystone refused or did not answer.
    """
    try:
        project_id = calls.read("project", lambda: sdk.current_project_id)
    except BaseException:
        sdk.close()
        raise
    if not project_id:
        sdk.close()
        raise Permanent("openstack.project_missing", cloud=cloud)


def _find(sdk: Any, calls: Calls, service: str) -> None:
    if not calls.read("discover", partial(_is_found, sdk, service)):
        raise Transient("driver.unreachable", delay_s=UNREACHABLE_DELAY_S, connection=f"{calls.connection} ({service})")


def _is_found(sdk: Any, service: str) -> bool:
    """Tell whether the address in use is the one the service itself names, with its version."""
    proxy = getattr(sdk, service)
    used = proxy.endpoint_override
    told = None if service in _SAYS_NO_VERSION else proxy.get_endpoint_data()
    if told is None:
        # The SDK found it by itself and keeps no data: then its address has a version.
        return _VERSION.search(str(used)) is not None
    if told.api_version is None:
        return False
    return used is None or str(used).rstrip("/") == str(told.url).rstrip("/")
