"""What the pages claim, asked of the code: tables, figures, and the list of what is not there yet, which must not age unseen."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from controller.cli import exit_codes
from controller.cli.lazy import COMMANDS
from controller.identity.policy import RULES
from controller.scheduling.columns import TRAITS_MAX
from controller.settings import Settings
from controller.tickets.aliases import ACTIONS, ACTIONS_NOT_OFFERED
from controller.workflows.turns import GROUP_MACHINES, GROUP_TICKETS
from drivers.libvirt import driver as libvirt_driver
from drivers.openstack import driver as openstack_driver
from drivers.protocol import CLOUD_POWERS, Capability
from drivers.simulated import driver as simulated_driver
from inventory.domain.host import ADMIN_TRANSITIONS
from metering.meters import METERS, Counting
from tests.support.doc_examples import ROOT
from tests.support.fields import field_paths

DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (ROOT / name if name == "README.md" else DOCS / name).read_text("utf-8")


def section(text: str, title: str) -> str:
    """Return what stands under a heading, up to the next of the same or a higher level."""
    [mark] = re.findall(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    rest = text.split(f"{mark} {title}\n", 1)[1]
    return re.split(rf"^#{{1,{len(mark)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Return the rows of the first table of a text, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_host_states_lead_where_the_table_says() -> None:
    told = {row[0].strip("`"): set(re.split(r", ", row[3])) for row in rows(section(page("operator.md"), "Host states"))}
    assert told == {state.value: {after.value for after in afters} for state, afters in ADMIN_TRANSITIONS.items()}


def test_what_is_kept_is_kept_that_long() -> None:
    told = rows(section(page("operator.md"), "What is kept, and for how long"))
    named = {row[2].strip("`"): row[1] for row in told if row[2].startswith("`")}
    assert {name.removeprefix("retention.") for name in named} == set(type(Settings().retention).model_fields)
    for name, kept in named.items():
        assert f"{getattr(Settings().retention, name.removeprefix('retention.'))} days" in kept, name


@pytest.mark.parametrize(
    ("name", "sentence", "figures"),
    [
        ("operator.md", r"up to (\d+) machines or (\d+) tickets", (GROUP_MACHINES, GROUP_TICKETS)),
        ("operator.md", r"At most (\d+) different ones on the platform", (TRAITS_MAX,)),
        ("operator.md", r"`metering\.sample_interval_s` seconds \((\d+);", (Settings().metering.sample_interval_s,)),
        ("operator.md", r"With the default of (\d+) s", (Settings().reconcile.observe_interval_s,)),
        ("quickstart.md", r"listens on `127\.0\.0\.1:(\d+)`", (Settings().server.port,)),
    ],
)
def test_a_figure_is_that_of_the_code(name: str, sentence: str, figures: tuple[int, ...]) -> None:
    [found] = re.findall(sentence, page(name))
    assert tuple(int(f) for f in (found if isinstance(found, tuple) else (found,))) == figures


def test_exit_codes_are_those_of_the_command_line() -> None:
    told = {int(row[0]) for row in rows(section(page("department.md"), "Exit codes 退出码"))}
    assert told == {code for name, code in vars(exit_codes).items() if name.isupper()}


def test_the_tables_of_folders_name_every_folder() -> None:
    tests = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert {row[0].strip("`/").removeprefix("tests/") for row in rows(section(page("developer.md"), "Tests"))} == tests
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"docs", "etc", "playbooks"}
    assert {row[0].strip("`/") for row in rows(section(page("README.md"), "The tree"))} == rooms


def test_every_act_of_the_chain_stands_in_the_table_of_who_may_do_it() -> None:
    table = page("auditor.md").split("| act | roles |")[1].split("\n\n")[0]
    told = [tuple(re.findall(r"`([a-z_.]+)`", cell) for cell in line.strip("|").split("|")) for line in table.splitlines()[2:]]
    by_act = {act: set(roles) for acts, roles in told for act in acts}
    assert by_act == {rule.action: {role.value for role in rule.roles} for rule in RULES.values() if rule.action}


LIBVIRT, OPENSTACK = libvirt_driver._ALL_CAPABILITIES, openstack_driver._CAPABILITIES | Capability.LOAD_BALANCERS
#: What the list says -> it is still so. When one fails, mend the list first and then this.
STILL: Mapping[str, Callable[[], bool]] = {
    "Live migration on libvirt": lambda: not LIBVIRT & Capability.LIVE_MIGRATION,
    "executed on drivers that migrate: the simulated one, and OpenStack's": lambda: bool(
        simulated_driver.POWERS & Capability.LIVE_MIGRATION and hasattr(openstack_driver.OpenStackDriver, "ensure_migrated")
    ),
    "Drivers of OpenStack regions have the verbs": lambda: bool(
        OPENSTACK & Capability.OUTSIDE and OPENSTACK & Capability.FILTERS
    ),
    "for regions with Octavia, and no ticket offers them yet": lambda: not called("ensure_balancer"),
    "There is none on libvirt hosts": lambda: not LIBVIRT & CLOUD_POWERS,
    "nothing in the platform calls them yet": lambda: (
        not any(map(called, ("ensure_gateway", "ensure_public_address", "ensure_rules")))
    ),
    "without a command or a field of a ticket": lambda: not any(map(called, ("ensure_snapshot", "ensure_volume_of_snapshot"))),
    "**Ticket actions** `adopt` and `transfer`": lambda: set(ACTIONS_NOT_OFFERED) == {"adopt", "transfer"},
    "an operator adopts with `allot adopt`": lambda: "adopt" in COMMANDS and "adopt" not in ACTIONS,
    "A web console": lambda: not (ROOT / "controller" / "console").exists(),
    "snapshots, backups, images and units of load balancers are entered by hand": lambda: (
        {m.name.partition("_")[0] for m in METERS.values() if m.is_entered and m.counting is Counting.LEVEL}
        == {"snapshot", "backup", "image", "load"}
    ),
}


def called(verb: str) -> bool:
    """Tell whether the controller calls a verb of a driver."""
    return any(re.search(rf"\.{verb}\w*\(", path.read_text("utf-8")) for path in Path(ROOT / "controller").rglob("*.py"))


@pytest.mark.parametrize("sentence", sorted(STILL))
def test_what_is_not_there_yet_is_still_not_there(sentence: str) -> None:
    told = " ".join(section(page("concepts.md"), "Not yet").split())
    assert sentence in told
    assert STILL[sentence]()


def test_the_judge_of_calls_finds_a_call() -> None:
    assert called("ensure_running")


def test_no_field_of_the_list_is_offered() -> None:
    offered = {path for path, is_offered in field_paths() if is_offered}
    told = set(re.findall(r"`([a-z.-]+)`", section(page("concepts.md"), "Not yet")))
    assert told & offered == set()
