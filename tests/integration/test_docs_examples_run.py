"""Every console example of README and docs, run as written against a real controller with a simulated pool.

Each page is one story: its blocks run in order, in a directory that looks like a clone, in the state the blocks before left
behind. The quickstart begins with nothing; the other pages begin with a city: the example site, one active host, and a
remembered context for each reader. What an example prints is compared line by line (``…`` stands for anything).
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.cli.contexts import write_private
from tests.support.doc_examples import PAGES, ROOT, Block, Command, blocks, commands, missing_lines
from tests.support.empty_image import qcow2

BIN = Path(sys.executable).parent
#: What stands for this machine as a libvirt host: the same commands, another back end.
SUBSTITUTES: Mapping[str, str] = {
    "qemu:///system": "'simulated://docs/demo-host?cpus=16&memory_mib=65536&pools=allotment-demo:500,high:500'",
    "--pool libvirt-demo": "--pool simulated-demo",
    " --prepare": "",
}
READERS = {
    "department": ("zhangsan", "department_admin", "civil-affairs"),
    "approver": ("lisi", "department_admin", "city-hall"),
    "finance": ("chen", "finance", ""),
    "auditor": ("wang", "auditor", ""),
}
TOLD = [page for page in PAGES if any(b.language == "console" for b in blocks(page))]


@dataclass
class Story:
    """A directory like a clone, a controller, and what its commands see."""

    directory: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    controllers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ALLOT_")}
        self.environment = kept | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(self.directory),
            "ALLOT_STATE__DIRECTORY": str(self.directory / "state"),
            "ALLOT_SERVER__PORT": str(self.port),
            "ALLOT_CONTEXT_DIR": str(self.directory / "context"),
            "ALLOT_RECONCILE__GRACEFUL_STOP_S": "1",
            "LC_ALL": "C.UTF-8",
            "ALLOT_LANG": "en",
            "COLUMNS": "200",
        }
        shutil.copytree(ROOT / "etc", self.directory / "etc")
        site = self.directory / "etc" / "examples" / "site.yaml"
        text = site.read_text("utf-8")
        assert "code: libvirt-demo" in text
        assert "driver: libvirt" in text
        text = text.replace("driver: libvirt", "driver: simulated").replace("libvirt-demo", "simulated-demo")
        site.write_text(text, encoding="utf-8")
        # Where the quickstart builds its image, and beside the example for the other pages.
        images = self.directory / ".demo" / "images"
        images.mkdir(parents=True)
        shutil.copy(site, images)
        for place in (images, site.parent):
            (place / "demo-linux.qcow2").write_bytes(qcow2())

    def run(self, line: str, *, reader: str = "") -> tuple[int, str]:
        """Run a shell line and return exit code and what it printed."""
        for written, real in SUBSTITUTES.items():
            line = line.replace(written, real)
        line = line.replace(":8470", f":{self.port}")
        environment = self.environment | ({"ALLOT_CONTEXT": reader} if reader else {})
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout.decode().replace(f":{self.port}", ":8470")

    def must(self, line: str) -> None:
        """Run a line that has to succeed."""
        code, output = self.run(line)
        assert code == 0, f"{line}\n{output}"

    def start(self) -> None:
        """Start the controller and wait until it is ready."""
        with (self.directory / "serve.log").open("ab") as log:
            controller = subprocess.Popen(
                [str(BIN / "allot"), "serve"],
                cwd=self.directory,
                env=self.environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self.controllers.append(controller)
        deadline = time.monotonic() + 60
        while not self._is_ready():
            log_text = (self.directory / "serve.log").read_text("utf-8")
            assert controller.poll() is None, log_text
            assert time.monotonic() < deadline, log_text
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def stop(self) -> None:
        """End the controller as systemd would."""
        for controller in self.controllers:
            with suppress(ProcessLookupError):
                controller.send_signal(signal.SIGTERM)
        for controller in self.controllers:
            assert controller.wait(30) == 0
        self.controllers.clear()

    def furnish(self) -> None:
        """Make the city the pages of its readers begin with."""
        self.must("allot init")
        self.start()
        self.must("allot import etc/examples/site.yaml --yes")
        self.must(
            "allot host enrol demo-host --pool libvirt-demo --connection qemu:///system"
            " --storage standard:allotment-demo --storage high-performance:high --site 演示机房 --rack A01 --activate"
        )

    def found_region(self) -> None:
        """Add what the page of regions begins with: a pool with a hypervisor on which machines run already."""
        site = "apiVersion: allotment/v1\nkind: Site\npools:\n"
        pool = "  - {code: region, name: 区域, zone: gov-public, driver: simulated, mlps-max: 3}\n"
        (self.directory / "region.yaml").write_text(site + pool, encoding="utf-8")
        self.must("allot import region.yaml --yes")
        connection = "simulated://docs/hv-001?pools=ceph-ssd:500&foreign=old-mail:mzj-legacy,old-files:mzj-legacy"
        enrol = "allot host enrol hv-001 --pool region --storage standard:ceph-ssd --activate"
        self.must(f"{enrol} --connection '{connection}'")
        deadline = time.monotonic() + 60
        while "old-mail" not in self.run("allot adopt candidates region")[1]:
            assert time.monotonic() < deadline, "the machines of others were never seen"
            time.sleep(0.5)

    def welcome(self, reader: str) -> None:
        """Give a reader a token and a context, as ``allot token create`` and ``allot login`` do (the quickstart runs those)."""
        user, role, department = READERS[reader]
        directory = self.directory / "context"
        operator = (directory / "default.token").read_text("utf-8").strip()
        body = json.dumps({"user_name": user, "role": role, "department": department or None, "days": 1})
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/tokens",
            data=body.encode(),
            headers={"Authorization": f"Bearer {operator}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            write_private(directory / f"{reader}.token", json.load(answer)["token"])
        contexts = json.loads((directory / "contexts.json").read_text("utf-8"))
        entry = contexts["contexts"]["default"] | {"token_file": f"{reader}.token"}
        contexts["contexts"][reader] = entry
        write_private(directory / "contexts.json", json.dumps(contexts))


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """A story, ended at the end."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    told = Story(tmp_path, port)
    try:
        yield told
    finally:
        for controller in told.controllers:
            controller.kill()
            controller.wait()


@pytest.mark.parametrize("page", TOLD, ids=[page.stem for page in TOLD])
def test_every_example_of_the_page_does_what_the_page_says(page: Path, story: Story) -> None:
    if page.stem != "quickstart":
        story.furnish()
        if page.stem == "openstack":
            story.found_region()
        for reader in sorted({b.option("as") for b in blocks(page)} - {""}):
            story.welcome(reader)
    wrong: list[str] = []
    for block in blocks(page):
        name = block.option("file")
        if name:
            (story.directory / name).write_text(block.text, encoding="utf-8")
        if block.language == "console":
            wrong += run_block(story, block)
    story.stop()
    assert not wrong, "\n".join(wrong)


def run_block(story: Story, block: Block) -> list[str]:
    """Run a block and return what came out otherwise than it says."""
    wrong = []
    # The quickstart's reader has one context at a time, as on a new machine: the page itself chooses.
    reader = block.option("as") or ("" if block.page.stem == "quickstart" else "default")
    for command in commands(block):
        if re.fullmatch(r"allot serve.*&", command.line):
            story.start()
            continue
        code, output, missing = looked_at(story, command, reader, float(block.option("within_s") or 0))
        if code != command.exit_code or missing:
            wrong += [
                f"{block.place}: $ {command.line}",
                f"exit {code}, told {command.exit_code}; told and not printed:",
                *missing,
                f"printed:\n{output}",
            ]
    return wrong


def looked_at(story: Story, command: Command, reader: str, within_s: float) -> tuple[int, str, list[str]]:
    """Run a command; one that reads what follows in seconds (``within_s``), until it is there."""
    deadline = time.monotonic() + within_s
    while True:
        code, output = story.run(command.line, reader=reader)
        missing = missing_lines(command.shown, output)
        if not missing or time.monotonic() >= deadline:
            return code, output, missing
        time.sleep(0.5)


def test_a_line_that_is_not_printed_is_found() -> None:
    assert missing_lines(["a  b", "…", "c … e"], "x\na b\n\n c d e\n") == []
    assert missing_lines(["c … e", "a b"], "a b\nc d e\n") == ["a b"]
