"""Cells of Nova that do not answer: what is in them is unknown, and never absent.

From 2.69 on Nova answers such a machine with 200, its id and ``UNKNOWN``, where it is asked for by its id, and on the first page
of a list without filter. A list with a filter (a tag, a moment of change), or with a page size of ours, leaves the cell out
without a word: that it shows nothing proves nothing then.
"""

from collections.abc import Iterable
from typing import Any

from drivers.faults import Transient
from drivers.openstack.calls import Calls
from drivers.openstack.mapping import ServerReading, read_server
from drivers.openstack.translate_errors import UNREACHABLE_DELAY_S


def require_told(servers: Iterable[ServerReading], connection: str) -> None:
    """Refuse machines that the region knows of and cannot tell anything about.

    Raises:
        Transient: ``driver.unreachable``.
    """
    silent = [s.server_id for s in servers if s.is_in_silent_cell]
    if silent:
        raise Transient(
            "driver.unreachable",
            delay_s=UNREACHABLE_DELAY_S,
            internal=f"a cell of Nova does not answer: {len(silent)} machines UNKNOWN, {silent[0]} first",
            connection=connection,
        )


def require_all_cells(sdk: Any, calls: Calls, scope: dict[str, bool]) -> None:
    """Make sure that what a list with a filter left out is not in a cell that does not answer.

    Raises:
        Transient: ``driver.unreachable``: one does not.
    """

    def first_page() -> list[ServerReading]:
        return [read_server(s) for s in sdk.compute.servers(details=False, paginated=False, **scope)]

    require_told(calls.read("machine", first_page), calls.connection)
