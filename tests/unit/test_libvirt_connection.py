"""The connection of a libvirt driver, on libvirt's own test driver."""

import time

from drivers.libvirt.connection import Connection
from drivers.libvirt.events import Watch


def test_a_call_under_way_keeps_its_connection_when_another_thread_drops_it() -> None:
    connection = Connection("test:///default", Watch(time.time))
    with connection.calling("observe", changes=False) as opened:
        connection.close()
        assert [d.name() for d in opened.listAllDomains()] == ["test"]
        with connection.calling("observe", changes=False) as another:
            assert another is not opened
    assert connection.generation == 2
    connection.close()
