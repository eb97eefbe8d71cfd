"""``host``: list, show, enrol, move between states."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from controller.cli.commands import commands
from controller.cli.exit_codes import REFUSED
from controller.cli.lazy import local_step
from controller.cli.session import Session, session_of

app = commands()


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """List hosts with what is promised on them."""
    from controller.cli.lists import KINDS

    session = session_of(ctx)
    session.out.rows(session.api.all("/v1/hosts"), KINDS["hosts"].columns(session.out))


@app.command()
def inventory(ctx: typer.Context) -> None:
    """Print the hosts one can log in to as an inventory of Ansible."""
    import json
    import socket

    from inventory.importers.dynamic import dynamic_inventory

    session = session_of(ctx)
    api = session.api
    hosts, pools, zones = (api.all(f"/v1/{kind}") for kind in ("hosts", "pools", "zones"))
    found, left_out = dynamic_inventory(hosts, pools, zones, here=socket.gethostname())
    # Read by a program whatever form of answers is asked for.
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    if left_out:
        session.out.note("cli.say.inventory_left_out", names=", ".join(left_out))


@app.command()
def show(ctx: typer.Context, host: str) -> None:
    """Show a host whole."""
    session = session_of(ctx)
    _print(session, session.api.get(f"/v1/hosts/{_segment(host)}"))


@app.command()
def foreign(ctx: typer.Context, host: str) -> None:
    """List the guests on a host that are not ours: counted, never touched."""
    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    columns = [
        Column("cli.column.name", "name"),
        Column("cli.column.vcpu", "vcpu_count", is_number=True),
        Column("cli.column.memory_mib", "memory_mib", is_number=True),
        Column("cli.column.running", lambda r: out.say("cli.word.yes" if r["is_running"] else "cli.word.no")),
        Column("cli.column.uuid", "uuid"),
    ]
    out.rows(session.api.all(f"/v1/hosts/{_segment(host)}/foreign"), columns, name="uuid")


@app.command()
def enrol(
    ctx: typer.Context,
    name: str,
    pool: str = typer.Option(..., "--pool"),
    connection: str = typer.Option(..., "--connection"),
    storage: list[str] = typer.Option([], "--storage"),
    site: str = typer.Option("", "--site"),
    room: str = typer.Option("", "--room"),
    rack: str = typer.Option("", "--rack"),
    vendor: str = typer.Option("", "--vendor"),
    owner: str = typer.Option("", "--owner"),
    warranty: str = typer.Option("", "--warranty"),
    watts_idle: int = typer.Option(0, "--watts-idle", min=0),
    watts_most: int = typer.Option(0, "--watts-most", min=0),
    reserve_cpu: int = typer.Option(0, "--reserve-cpu", min=0),
    reserve_memory_mib: int = typer.Option(0, "--reserve-memory-mib", min=0),
    dedicated_cpus: str = typer.Option("", "--dedicated-cpus"),
    shared_cpus: str = typer.Option("", "--shared-cpus"),
    trait: list[str] = typer.Option([], "--trait"),
    activate_: bool = typer.Option(False, "--activate"),
    prepare: bool = typer.Option(False, "--prepare"),
    dry_run: bool = typer.Option(False, "--check"),
    address: str = typer.Option("", "--address"),
    user: str = typer.Option("root", "--user"),
    private_key: Path | None = typer.Option(None, "--private-key"),
    known_hosts: Path | None = typer.Option(None, "--known-hosts"),
) -> None:
    """Take a host into the inventory, after making it ready if asked to."""
    from controller.cli.storage import read_storage

    session = session_of(ctx)
    pools = [read_storage(text) for text in storage]
    if prepare:
        # Runs on this machine, beside the service: it needs the operator's key, which the service never sees.
        reach = {"address": address, "user": user, "private_key": private_key, "known_hosts": known_hosts}
        local_step("host prepare")(session.out, name, pools, **reach, is_check=dry_run)
    if dry_run:
        return
    reserved = {"vcpu": reserve_cpu, "memory_mib": reserve_memory_mib}
    body = {
        "name": name,
        "pool": pool,
        "connection": connection,
        "site": site,
        "room": room,
        "rack": rack,
        "vendor": vendor,
        "owner": owner,
        "warranty_until": warranty,
        "watts_idle": watts_idle,
        "watts_most": watts_most,
        "reserved": {dimension: amount for dimension, amount in reserved.items() if amount},
        "storage": [s.body() for s in pools],
        "dedicated_cpus": dedicated_cpus,
        "shared_cpus": shared_cpus,
        "traits": trait,
    }
    host: Mapping[str, Any] = session.api.post("/v1/hosts", body)
    if activate_:
        host = _to_state(session, host, {"to": "active"})
    _print(session, host)


@app.command()
def state(
    ctx: typer.Context,
    host: str,
    to: str,
    reason: str = typer.Option("", "--reason"),
    until: str = typer.Option("", "--until"),
) -> None:
    """Move a host to any state."""
    _move(ctx, host, to, reason, until)


@app.command()
def activate(ctx: typer.Context, host: str, reason: str = typer.Option("", "--reason")) -> None:
    """Let a host take machines."""
    _move(ctx, host, "active", reason, "")


@app.command()
def cordon(
    ctx: typer.Context, host: str, reason: str = typer.Option("", "--reason"), until: str = typer.Option("", "--until")
) -> None:
    """Give a host no new machines; those it has stay."""
    _move(ctx, host, "cordoned", reason, until)


@app.command()
def drain(
    ctx: typer.Context, host: str, reason: str = typer.Option("", "--reason"), until: str = typer.Option("", "--until")
) -> None:
    """Give a host no new machines, and move those it has away where its driver can."""
    from controller.cli.moves_view import show_plan

    _move(ctx, host, "draining", reason, until)
    session = session_of(ctx)
    plan = session.api.post("/v1/move-plans", {"kind": "drain", "host": host})
    if plan["steps"]:
        plan = session.api.post(f"/v1/move-plans/{plan['id']}/run")
    if session.out.is_table and (plan["steps"] or plan["stays"]):
        show_plan(session.out, plan)


@app.command()
def maintain(
    ctx: typer.Context, host: str, reason: str = typer.Option("", "--reason"), until: str = typer.Option("", "--until")
) -> None:
    """Put a host into maintenance."""
    _move(ctx, host, "maintenance", reason, until)


@app.command()
def retire(ctx: typer.Context, host: str, reason: str = typer.Option("", "--reason")) -> None:
    """Take an empty host out of service for good."""
    _move(ctx, host, "retired", reason, "")


@app.command()
def lost(
    ctx: typer.Context,
    host: str,
    confirm: str = typer.Option("", "--confirm"),
    reason: str = typer.Option("", "--reason"),
) -> None:
    """Give up a host that is off, as a second person: its machines are made anew elsewhere; exit 1 when one finds no place."""
    from controller.cli.fates_view import show_fates

    out = session_of(ctx).out
    found = session_of(ctx).api.post(f"/v1/hosts/{_segment(host)}/lost", {"confirm": confirm, "reason": reason})
    left = [machine for machine in found["machines"] if not machine["to_host"]]
    ends = "cli.host.some_left" if left else "cli.host.all_anew"
    out.value(found, lambda value: show_fates(out, value["machines"], ends))
    if left:
        raise typer.Exit(REFUSED)


def _move(ctx: typer.Context, host: str, to: str, reason: str, until: str) -> None:
    from controller.cli.moments import moment_s

    session = session_of(ctx)
    body: dict[str, Any] = {"to": to, "reason": reason}
    if until:
        body["until_s"] = moment_s(session, until)
    _print(session, _to_state(session, session.api.get(f"/v1/hosts/{_segment(host)}"), body))


def _to_state(session: Session, host: Mapping[str, Any], body: Mapping[str, Any]) -> Mapping[str, Any]:
    from controller.cli.replacing import changes_told

    with changes_told(f"allot describe host {host['name']}"):
        return session.api.post(f"/v1/hosts/{_segment(host['id'])}/state", body, revision=host["revision"])


def _print(session: Session, host: Mapping[str, Any]) -> None:
    from controller.cli.details import show_detail

    session.out.value(host, lambda value: show_detail(session, "hosts", value))


def _segment(text: str) -> str:
    from controller.cli.client import segment

    return segment(text)
