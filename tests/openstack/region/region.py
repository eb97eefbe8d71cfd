"""Brings a region up and down. Whatever is installed, made or running already is left as it is."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.openstack.region import configuration, schemas, seeding
from tests.openstack.region.configuration import config_file
from tests.openstack.region.layout import REPO, Layout
from tests.openstack.region.processes import FOUNDATIONS, Processes, RegionError, listens

READY_S = 600.0
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
#: Entry points of the services that are no WSGI application, in the order they start.
SERVICES = {
    "glance-api": ("glance", "glance.cmd.api:main"),
    "neutron-server": ("neutron", "neutron.cmd.eventlet.server:main"),
    "nova-conductor": ("nova", "nova.cmd.conductor:main"),
    "nova-api": ("nova", "nova.cmd.api_os_compute:main"),
    "nova-scheduler": ("nova", "nova.cmd.scheduler:main"),
    "cinder-api": ("cinder", "cinder.cmd.api:main"),
    "cinder-scheduler": ("cinder", "cinder.cmd.scheduler:main"),
    "cinder-volume": ("cinder", "cinder.cmd.volume:main"),
    "octavia-worker": ("octavia", "octavia.cmd.octavia_worker:main"),
}
#: Those of them that listen, and the name of their port.
LISTENING = {"glance-api": "glance", "nova-api": "nova", "neutron-server": "neutron", "cinder-api": "cinder"}
COMPUTE = "nova-compute"
#: Changes when a region that is there already would not come up: with another service, say.
FORMAT = "format-2"


class Region:
    """One region: a directory and the processes that belong to it."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.processes = Processes(layout)

    def up(self, say: Callable[[str], None] = lambda _text: None) -> None:
        """Have the region up.

        Raises:
            RegionError: something did not come up; what was not up before is stopped again then.
        """
        with self._one_at_a_time():
            was_up = self.processes.is_alive("nova-api")
            try:
                self._up(say)
            except BaseException:
                if not was_up:
                    self.processes.stop_all()
                raise

    def down(self) -> None:
        """Stop everything of the region; what it holds stays for the next start."""
        with self._one_at_a_time():
            self.processes.stop_all()

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Wait for whoever else starts or stops this region: what one starts while another stops would stay."""
        with (self.layout.sub("run") / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def start_service(self, name: str) -> None:
        """Start one service again, after a test has ended it."""
        if name == COMPUTE:
            self._start_computes()
            return
        if name in FOUNDATIONS:
            self._start_foundations()
            return
        if name in configuration.WSGI:
            self._start_wsgi(name)
            self._wait(name, name)
            return
        service, target = SERVICES[name]
        environment = schemas.service_environment(self.layout)
        if name == "octavia-worker":
            environment["REGION_OCTAVIA_WORKER"] = "1"
        command = schemas.service_command(target, "--config-file", config_file(self.layout, service))
        self.processes.start(name, command, self._port(name), environment)

    @contextmanager
    def without_computes(self, *lost: str) -> Iterator[None]:
        """Kill the compute service of some hypervisors, and have it again at the end; the others are started again at once."""
        try:
            self._restart_computes(lost)
            yield
        finally:
            self._restart_computes(())

    def _restart_computes(self, without: Collection[str]) -> None:
        self.processes.kill(COMPUTE)
        # Nova writes whole seconds.
        begun_s = float(int(time.time()))
        self._start_computes(without)
        seeding.wait_ready(self.layout, READY_S, begun_s, without=without)

    def wait_ready(self, since_s: float = 0.0) -> None:
        """Wait until every service has reported in after a moment: when a test started again what they stand on."""
        seeding.wait_ready(self.layout, READY_S, since_s)

    def _up(self, say: Callable[[str], None]) -> None:
        begun = time.monotonic()
        self._require_format()
        configuration.write_all(self.layout)
        self._make_broker_certificate()
        self._start_foundations()
        if not self.layout.is_done("schemas"):
            say("making the databases")
            self._make_octavia_certificate()
            schemas.make_schemas(self.layout)
            self.layout.mark_done("schemas")
            self.layout.mark_done(FORMAT)
        say(f"starting the services ({time.monotonic() - begun:.0f} s)")
        self._start_wsgi("keystone")
        seeding.write_clouds(self.layout)
        self._wait("keystone", "keystone")
        if not self.layout.is_done("identity"):
            seeding.seed_identity(self.layout)
            self.layout.mark_done("identity")
        if not self.layout.is_done("limited"):
            seeding.seed_limited(self.layout)
            self.layout.mark_done("limited")
        if not self.layout.is_done("member"):
            seeding.seed_application_credential(self.layout)
            self.layout.mark_done("member")
        self._start_services()
        self.wait_ready()
        if not self.layout.is_done("cloud"):
            schemas.discover_hosts(self.layout)
            seeding.seed_cloud(self.layout)
            self.layout.mark_done("cloud")
        if not self.layout.is_done("quotas"):
            seeding.seed_quotas(self.layout)
            self.layout.mark_done("quotas")
        say(f"up ({time.monotonic() - begun:.0f} s)")

    def _require_format(self) -> None:
        """Refuse a region that an older checkout has made, with fewer services.

        Raises:
            RegionError: it is to be purged.
        """
        if self.layout.is_done("schemas") and not self.layout.is_done(FORMAT):
            raise RegionError(f"{self.layout.directory} was made by an older checkout: python -m tests.openstack.region purge")

    def _start_foundations(self) -> None:
        layout, start = self.layout, self.processes.start
        data = layout.directory / "database"
        schemas.install_database(data)
        start(
            "database",
            [
                "/usr/sbin/mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={layout.database_socket}",
                "--bind-address=127.0.0.1", f"--port={layout.port('database')}", "--skip-name-resolve",
                "--max-connections=1000", "--innodb-buffer-pool-size=256M", "--innodb-flush-log-at-trx-commit=0",
                "--character-set-server=utf8", f"--pid-file={layout.directory / 'mariadbd.pid'}",
            ],
            layout.port("database"),
        )  # fmt: skip
        start(
            "memcached",
            ["memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(layout.port("memcached")), "-U", "0", "-m", "64"],
            layout.port("memcached"),
        )
        start("epmd", ["epmd", "-address", "127.0.0.1", "-port", str(layout.port("epmd"))], layout.port("epmd"))
        self._wait("epmd", "epmd")
        start("broker", [RABBITMQ], layout.port("broker"), self._broker_environment())
        self._wait("database", "database")
        self._wait("broker", "broker")

    def _broker_environment(self) -> dict[str, str]:
        layout = self.layout
        etc, home = layout.sub("etc/rabbitmq"), layout.sub("broker")
        return {
            "HOME": str(home),
            "ERL_EPMD_PORT": str(layout.port("epmd")),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"region{layout.first_port}@localhost",
            "RABBITMQ_DIST_PORT": str(layout.port("broker_distribution")),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(etc / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(etc / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(layout.sub("log")),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
            ),
        }

    def _make_broker_certificate(self) -> None:
        made = self.layout.broker_certificate
        if not made.exists():
            kind = [
                "-newkey",
                "rsa:2048",
                "-noenc",
                "-days",
                "3650",
                "-subj",
                "/CN=broker",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ]
            files: list[str | Path] = ["-keyout", made.with_suffix(".key"), "-out", made]
            subprocess.run(["openssl", "req", "-x509", *kind, *files], check=True, capture_output=True)

    def _make_octavia_certificate(self) -> None:
        etc = self.layout.sub("etc")
        subject = ["-subj", "/CN=region", "-passout", f"pass:{self.layout.password}"]
        files: list[str | Path] = ["-keyout", etc / "octavia-ca.key", "-out", etc / "octavia-ca.crt"]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "3650", *subject, *files]
        subprocess.run(command, check=True, capture_output=True)

    def _start_wsgi(self, service: str) -> None:
        command: list[str | Path] = ["uwsgi", "--ini", self.layout.sub(f"etc/{service}") / "uwsgi.ini"]
        environment = schemas.service_environment(self.layout)
        self.processes.start(service, command, self.layout.port(service), environment)

    def _start_services(self) -> None:
        self._start_wsgi("placement")
        self._start_wsgi("barbican")
        self._start_wsgi("octavia")
        for name in SERVICES:
            self.start_service(name)
        self._wait("placement", "placement")
        self._start_computes()
        for name, service in LISTENING.items():
            self._wait(name, service)
        self._wait("barbican", "barbican")
        self._wait("octavia", "octavia")

    def _start_computes(self, without: Collection[str] = ()) -> None:
        environment = {
            **schemas.service_environment(self.layout),
            "REGION_HOST_VCPUS": str(configuration.HOST_VCPUS),
            "REGION_HOST_MEMORY_MIB": str(configuration.HOST_MEMORY_MIB),
            "REGION_HOST_DISK_GIB": str(configuration.HOST_DISK_GIB),
        }
        program = configuration.HERE / "services" / "run_computes.py"
        names = ",".join(name for name in self.layout.host_names() if name not in without)
        command: list[str | Path] = [schemas.SYSTEM_PYTHON, program, names, "--config-file", config_file(self.layout, "nova")]
        self.processes.start(COMPUTE, command, self._port(COMPUTE), environment)

    def _port(self, name: str) -> int:
        """Return the port a service listens on, 0 for none."""
        return self.layout.port(LISTENING[name]) if name in LISTENING else 0

    def _wait(self, name: str, service: str) -> None:
        port = self.layout.port(service)
        self.processes.wait(name, lambda: listens(port), READY_S)


def require_packages() -> None:
    """Say which packages are missing, before anything is started.

    Raises:
        RegionError: and how to get them.
    """
    done = subprocess.run([REPO / "etc/setup/install-packages", "openstack"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RegionError(done.stderr)


def main(arguments: list[str]) -> int:
    """``up`` | ``down`` | ``purge`` | ``status``."""
    region = Region(Layout.from_environment())
    verb = arguments[0] if arguments else ""
    os.umask(0o022)
    # Asked to end as by Ctrl-C: what was started is stopped before.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if verb == "up":
        require_packages()
        region.up(lambda text: print(text, file=sys.stderr, flush=True))
        print(region.layout.clouds_file)
    elif verb in ("down", "purge"):
        region.down()
        if verb == "purge":
            subprocess.run(["rm", "-rf", "--", region.layout.directory], check=True)
    elif verb == "status":
        print("\n".join(f"{n} {'runs' if region.processes.is_alive(n) else 'ended'}" for n in region.processes.names()))
    else:
        print("usage: python -m tests.openstack.region up | down | purge | status", file=sys.stderr)
        return 64
    return 0
