"""The platform's hosts as an inventory of Ansible: ``allot host inventory`` prints it, ``etc/ansible/allotment`` hands it on.

Pure: answers of the API in, the JSON of an inventory script out. Only hosts a person can log in to are in it (those of libvirt
pools); what Ansible would do to them is the operator's own playbook.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

Json = Mapping[str, Any]
#: Everything that is in the inventory.
ALL = "allot"
#: The driver whose hosts are servers one can log in to.
_DRIVER = "libvirt"
#: Names, addresses and users as they are; nothing an option or a template begins with.
_PLAIN = re.compile(r"[A-Za-z0-9_\u4e00-\u9fff][\w.:@-]*")
_LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")


def dynamic_inventory(
    hosts: Iterable[Json], pools: Iterable[Json], zones: Iterable[Json], *, here: str
) -> tuple[dict[str, Any], list[str]]:
    """Return the inventory (groups by pool, zone, state and reachability, and what is known of each host), and who is left out.

    Left out are hosts whose name or address is no plain one: it would become an argument of ssh.

    Args:
        hosts: as the API lists them; retired ones are left out.
        pools: the same.
        zones: the same.
        here: name of the machine Ansible runs on: only a host of that name is reached without a connection.
    """
    zone_codes = {zone["id"]: zone["code"] for zone in zones}
    by_id = {pool["id"]: pool for pool in pools if pool["driver"] == _DRIVER}
    groups: dict[str, list[str]] = {ALL: []}
    variables: dict[str, dict[str, Any]] = {}
    left_out: list[str] = []
    for host in sorted(hosts, key=lambda host: str(host["name"])):
        pool = by_id.get(host["pool_id"])
        if pool is None or host["admin_state"] == "retired":
            continue
        zone, reach = zone_codes[pool["zone_id"]], _reach(host, here)
        if not all(map(_PLAIN.fullmatch, (host["name"], *(str(word) for word in reach.values())))):
            left_out.append(host["name"])
            continue
        for group in (ALL, *_groups(host, pool["code"], zone)):
            groups.setdefault(group, []).append(host["name"])
        variables[host["name"]] = reach | _facts(host, pool["code"], zone)
    listed = {name: {"hosts": members} for name, members in sorted(groups.items())}
    return {**listed, "_meta": {"hostvars": variables}}, left_out


def _groups(host: Json, pool: str, zone: str) -> Iterable[str]:
    # Codes hold small letters, digits and hyphens, so no two of them become one group.
    parts = (("pool", pool), ("zone", zone), ("state", host["admin_state"]), ("reachability", host["reachability"]))
    return (f"{ALL}_{kind}_{word.replace('-', '_')}" for kind, word in parts)


def _reach(host: Json, here: str) -> dict[str, Any]:
    parts = urlsplit(host["connection"])
    hostname = str((host["facts"] or {}).get("hostname", ""))
    if (parts.hostname or "") in _LOCAL_HOSTS:
        # Local to the controller, which need not be where Ansible runs.
        return {"ansible_connection": "local"} if hostname == here else {"ansible_host": hostname or host["name"]}
    found: dict[str, Any] = {"ansible_host": parts.hostname}
    if parts.scheme.endswith("+ssh"):
        found |= {"ansible_user": parts.username} if parts.username else {}
        found |= {"ansible_port": parts.port} if parts.port else {}
    return found


def _facts(host: Json, pool: str, zone: str) -> dict[str, Any]:
    texts = {name: _unsafe(str(host[name])) for name in ("site", "room", "rack", "vendor", "owner", "warranty_until")}
    facts = host["facts"] or {}
    told = {
        "id": host["id"],
        "pool": pool,
        "zone": zone,
        "state": host["admin_state"],
        "reachability": host["reachability"],
        "arch": facts.get("arch", ""),
        "traits": [_unsafe(trait) for trait in host["traits"]],
        **texts,
    }
    return {f"allot_{name}": value for name, value in told.items()}


def _unsafe(text: str) -> dict[str, str]:
    """Return a text Ansible never takes for a template."""
    return {"__ansible_unsafe": text}
