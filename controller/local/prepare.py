"""``host enrol --prepare``: makes a machine a host with the playbook, telling each step as it happens.

Runs where the command runs, not in the service: it needs the operator's ssh key, which the service never sees.
"""

from collections.abc import Sequence
from pathlib import Path

from controller.cli.output import Out
from controller.cli.storage import Storage
from controller.local.checks import ansible_bin_dir
from controller.paths import data_dir
from drivers.ansible.preparer import HostPreparer, PrepareEvent, PrepareEventKind, PrepareRequest, StoragePlace

#: Where a pool lies whose directory is not told.
_POOLS_DIR = "/var/lib/libvirt"
_MARKS = {
    PrepareEventKind.PART: ("+", "yellow"),
    PrepareEventKind.OK: ("✓", "green"),
    PrepareEventKind.CHANGED: ("~", "yellow"),
    PrepareEventKind.SKIPPED: ("·", "dim"),
    PrepareEventKind.FAILED: ("✗", "bold red"),
}


def run(
    out: Out,
    name: str,
    storage: Sequence[Storage],
    *,
    address: str,
    user: str,
    private_key: Path | None,
    known_hosts: Path | None,
    is_check: bool,
) -> None:
    """Prepare a machine: this one, or another by ssh.

    Raises:
        DriverFault: ``prepare.*``.
    """
    from rich.text import Text

    places = tuple(StoragePlace(name=pool.name, path=pool.path or f"{_POOLS_DIR}/{pool.name}") for pool in storage)
    request = PrepareRequest(
        host_name=name,
        address=address,
        user=user,
        private_key_path=private_key,
        known_hosts_path=known_hosts,
        storage=places or PrepareRequest(host_name=name).storage,
    )
    console = out.console(stderr=True)
    preparer = HostPreparer(data_dir("playbooks"), ansible_bin_dir())
    with out.counting("cli.prepare.begun", host=name) as shown:

        def tell(event: PrepareEvent) -> None:
            shown(event.task, event.done, event.total)
            if event.kind is PrepareEventKind.STARTED:
                return
            mark, style = _MARKS[event.kind]
            console.print(Text(f"{mark} {event.task}{f': {event.detail}' if event.detail else ''}", style=style))

        result = preparer.prepare(request, check=is_check, on_event=tell)
    code = "cli.prepare.would_change" if is_check else "cli.prepare.done"
    out.note(code, host=name, changed=result.changed_count, ok=result.ok_count, took_s=round(result.took_s, 1))
