"""The databases of the services: made once, the long ones side by side."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.openstack.region.configuration import HERE, config_file, database_url
from tests.openstack.region.layout import REGION, Layout
from tests.openstack.region.processes import RegionError, common_environment

#: Debian's OpenStack is made for Debian's Python.
SYSTEM_PYTHON = "/usr/bin/python3"
DATABASES = ("keystone", "placement", "glance", "nova_api", "nova", "nova_cell0", "neutron", "cinder", "octavia", "barbican")


def service_environment(layout: Layout) -> dict[str, str]:
    """Return what Debian's Python needs to find the region's plugins and nothing of ours."""
    return {
        "PYTHONPATH": str(layout.sub("plugins")),
        "PYTHONWARNINGS": "ignore",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(layout.directory),
    }


def service_command(target: str, *arguments: str | Path) -> list[str]:
    """Return the command that runs an entry point of a service."""
    return [SYSTEM_PYTHON, str(HERE / "services" / "run_service.py"), target, *(str(a) for a in arguments)]


def sql(layout: Layout, text: str) -> None:
    """Run statements as the administrator of the database.

    Raises:
        RegionError: they failed.
    """
    client = ["mariadb", "--no-defaults", "-S", str(layout.database_socket), "-u", "root"]
    done = subprocess.run(client, input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RegionError(f"the database refused: {done.stderr.strip()}")


def install_database(data: Path) -> None:
    """Have the files of an empty database server; none half made, if this is cut."""
    if data.is_dir():
        return
    half = data.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    # It would look up the names of this machine, which a bare one need not have.
    options = ["--user=root", f"--datadir={half}", "--skip-test-db", "--skip-name-resolve", "--force"]
    subprocess.run(["mariadb-install-db", "--no-defaults", *options], check=True, capture_output=True)
    half.rename(data)


def make_schemas(layout: Layout) -> None:
    """Make the databases and bring each to the newest schema; what an attempt that was cut has left is taken away first."""
    user = f"'region'@'127.0.0.1' identified by '{layout.password}'"
    sql(layout, "".join(f"drop database if exists {d}; create database {d}; grant all on {d}.* to {user};" for d in DATABASES))
    with ThreadPoolExecutor(4) as side_by_side:
        for done in [side_by_side.submit(make, layout) for make in (_keystone, _nova, _neutron, _others)]:
            done.result()


def _run(layout: Layout, target: str, *arguments: str | Path) -> None:
    environment = {**common_environment(layout), **service_environment(layout)}
    done = subprocess.run(service_command(target, *arguments), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RegionError(f"{target} {' '.join(str(a) for a in arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def _keystone(layout: Layout) -> None:
    manage = ("keystone.cmd.manage:main", "--config-file", config_file(layout, "keystone"))
    _run(layout, *manage, "db_sync")
    for keys in ("fernet_setup", "credential_setup"):
        _run(layout, *manage, keys, "--keystone-user", "root", "--keystone-group", "root")
    urls = [
        part for kind in ("public", "internal", "admin") for part in (f"--bootstrap-{kind}-url", layout.url("keystone", "/v3"))
    ]
    _run(layout, *manage, "bootstrap", "--bootstrap-password", layout.password, "--bootstrap-region-id", REGION, *urls)


def _nova(layout: Layout) -> None:
    manage = ("nova.cmd.manage:main", "--config-file", config_file(layout, "nova"))
    _run(layout, *manage, "api_db", "sync")
    _run(layout, *manage, "cell_v2", "map_cell0", "--database_connection", database_url(layout, "nova_cell0"))
    _run(layout, *manage, "db", "sync")
    _run(layout, *manage, "cell_v2", "create_cell", "--name=cell1")


def _neutron(layout: Layout) -> None:
    _run(layout, "neutron.db.migration.cli:main", "--config-file", config_file(layout, "neutron"), "upgrade", "head")


def _others(layout: Layout) -> None:
    _run(layout, "glance.cmd.manage:main", "--config-file", config_file(layout, "glance"), "db_sync")
    _run(layout, "placement.cmd.manage:main", "--config-file", config_file(layout, "placement"), "db", "sync")
    _run(layout, "cinder.cmd.manage:main", "--config-file", config_file(layout, "cinder"), "db", "sync")
    _run(layout, "octavia.db.migration.cli:main", "--config-file", config_file(layout, "octavia"), "upgrade", "head")
    # It reads where its database is from its configuration, and takes no path of it (``config_file``).
    _run(layout, "barbican.cmd.db_manage:main", "upgrade")


def discover_hosts(layout: Layout) -> None:
    """Map hosts that are new to the cell."""
    _run(layout, "nova.cmd.manage:main", "--config-file", config_file(layout, "nova"), "cell_v2", "discover_hosts")
