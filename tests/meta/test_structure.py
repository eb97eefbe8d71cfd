"""The house stands as it was drawn: rooms, names, sizes, and every door of the Makefile is in its help."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.generate_docs import DOCS

ROOT = DOCS.parent
#: The rooms, and what belongs to the house as a whole.
FOLDERS = {"controller", "drivers", "inventory", "playbooks", "quotas", "metering", "tests", "etc", "docs", ".ci", ".github"}
FILES = {
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "pyproject.toml",
    "requirements.lock",
    "requirements-ansible.in",
    "requirements-ansible.lock",
    ".gitignore",
    ".gitattributes",
    ".editorconfig",
    "mkdocs.yml",
}
NAMES_OF_NOTHING = re.compile(r"(^|_)(utils?|common|helpers?|managers?|misc)(_|$)")
LINES_MAX = 555
#: Longer modules, each with its reason.
LONG = {
    "tests/conformance/broken_drivers.py": "a catalogue: one small broken driver after another",
    "controller/migrations/versions/0001_first_schema.py": "every table, written out by the generator",
}
#: Rooms without Python: what they hold is read by operators and by Ansible.
NO_PYTHON = ("etc", "playbooks", "docs")


def _tracked() -> list[str]:
    """Return every file of the repository, new ones included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("needs a git checkout")
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


@pytest.fixture(scope="module")
def files() -> list[str]:
    return _tracked()


def test_the_top_level_holds_the_rooms_and_nothing_else(files: list[str]) -> None:
    folders = {name.partition("/")[0] for name in files if "/" in name}
    assert folders - FOLDERS == set()
    assert folders >= {"controller", "drivers", "inventory", "playbooks", "quotas", "metering", "tests", "etc"}
    assert {name for name in files if "/" not in name} - FILES == set()


def test_a_module_is_named_after_what_a_reader_looks_for(files: list[str]) -> None:
    modules = [name for name in files if name.endswith(".py")]
    assert len(modules) > 150
    assert [name for name in modules if any(NAMES_OF_NOTHING.search(part) for part in Path(name).with_suffix("").parts)] == []


def test_no_module_is_too_long_to_be_read(files: list[str]) -> None:
    lengths = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in files if name.endswith(".py")}
    assert {name: n for name, n in lengths.items() if n > LINES_MAX and name not in LONG} == {}
    assert [name for name in LONG if lengths[name] <= LINES_MAX] == [], "short enough again: take it off the list"


def test_rooms_of_documents_hold_no_python(files: list[str]) -> None:
    assert [name for name in files if name.endswith(".py") and name.startswith(NO_PYTHON)] == []


def test_every_test_is_collected_by_a_name_of_its_own(files: list[str]) -> None:
    """Folders of tests are no packages: two files of one name would hide each other's failures in a report."""
    names = [Path(name).name for name in files if name.startswith("tests/") and Path(name).name.startswith("test_")]
    assert len(names) == len(set(names))
    inits = [name for name in files if name.startswith("tests/") and name.endswith("__init__.py")]
    assert set(inits) <= {"tests/__init__.py", "tests/support/__init__.py", "tests/bench/__init__.py"}


def test_every_package_says_what_it_is(files: list[str]) -> None:
    rooms = ("controller/", "drivers/", "inventory/", "metering/", "quotas/")
    modules = [name for name in files if name.endswith(".py") and name.startswith(rooms)]
    packages = {str(Path(name).parent) for name in modules} - {"controller/migrations/versions"}
    assert sorted(p for p in packages if not (ROOT / p / "__init__.py").exists()) == []
    assert [name for name in modules if not (ROOT / name).read_text("utf-8").lstrip().startswith(('"""', "#!", 'r"""'))] == []


def test_groups_of_commands_are_made_in_one_place(files: list[str]) -> None:
    makers = [name for name in files if name.startswith("controller/") and "typer.Typer(" in (ROOT / name).read_text("utf-8")]
    assert makers == ["controller/cli/commands.py", "controller/cli/main.py"], "commands() makes groups, main the root"


def test_every_door_of_the_makefile_is_in_its_help() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    doors = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE))
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    told = dict(re.findall(r"^  make (\S+) +(\S.*)$", shown, re.MULTILINE))
    named = {name for door in doors for name in door.split()}
    assert {"demo", "test", "check", "bench", "format", "docs", "help"} <= named
    #: Steps of other doors, not doors.
    inner = {"test-setup"}
    assert named - told.keys() == inner
    assert told.keys() <= named


def test_import_contracts_are_part_of_the_check() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    check = makefile.partition("\ncheck:")[2].partition(".PHONY")[0]
    assert all(tool in check for tool in ("lint-imports", "mypy", "ruff check", "ruff format --check"))
    assert "\ntest: " in makefile
    assert "check" in makefile.partition("\ntest:")[2].partition("\n")[0]


def test_nothing_in_the_repository_names_the_machine_it_was_made_on(files: list[str]) -> None:
    place = re.compile(r"(?<![\w}])/" + "work/|" + r"\." + "library/")
    found = []
    for name in files:
        data = (ROOT / name).read_bytes()
        if b"\0" not in data and place.search(data.decode("utf-8", "replace")):
            found.append(name)
    assert found == []


def test_every_kind_of_test_a_door_selects_is_borne_by_some_test() -> None:
    doors = (ROOT / "Makefile").read_text(encoding="utf-8")
    expressions = re.findall(r'pytest\b.*? -m "?([a-z ()]+)"?', doors)
    selected = {word for text in expressions for word in re.findall(r"[a-z]+", text)} - {"and", "or", "not", "tests"}
    assert {"soak", "seeds", "openstack"} <= selected
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    assert [word for word in sorted(selected) if not any(f"pytest.mark.{word}" in text for text in sources)] == []
