"""README and docs speak of what is there: links, commands, options, settings, codes, fields, packages, make targets."""

import ast
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from controller.cli.lazy import COMMANDS, load
from controller.identity.caller import Role
from controller.identity.policy import RULES
from controller.settings import Settings
from controller.texts.catalogue import all_texts
from controller.tickets.aliases import KEYS
from controller.tickets.language import parse_ticket
from controller.tickets.model import TicketState
from drivers.openstack.settings import read_settings
from inventory.domain.host import AdminState
from inventory.importers.site import parse_site
from metering.book_document import read_book
from metering.cost_document import read_costs
from quotas.budget_document import read_budgets
from tests.support.doc_examples import PAGES, ROOT, allot_calls, blocks, calls_in, commands, inline_code, prose
from tests.support.fields import field_paths

DOCS = ROOT / "docs"
#: Options of every command.
WITH_VALUE = {"--server", "--token-file", "--context", "--lang", "--output", "-o"}
FLAGS = {"--debug", "--help"}
_DAY = date(2026, 6, 1)
#: Written by `make bench` and `make bench-openstack`: a clone may not have it yet.
GENERATED = {"docs/benchmarks.md", "docs/benchmarks-openstack.md"}
ids = [page.name for page in PAGES]


@pytest.fixture(params=PAGES, ids=ids)
def page(request: pytest.FixtureRequest) -> Path:
    """Every page in turn."""
    found: Path = request.param
    return found


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and mkdocs make them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if str(found.relative_to(ROOT)) in GENERATED:
            continue
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), target


def test_the_index_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+)", (DOCS / "index.md").read_text("utf-8")))
    pages = {str(p.relative_to(DOCS)) for p in [*DOCS.glob("*.md"), *DOCS.glob("decisions/*.md")]}
    assert pages - {"index.md"} <= linked


@lru_cache
def command_of(name: str) -> Any:
    return load(name, "en")


def unknown_in_call(arguments: list[str]) -> str:
    """Return what of a call of ``allot`` does not exist, empty where all does."""
    rest = list(arguments)
    known = WITH_VALUE | FLAGS
    command: Any = None
    path: list[str] = []
    while rest:
        word = rest.pop(0)
        option = word.partition("=")[0]
        if option in WITH_VALUE and "=" not in word:
            rest[:1] = []
        elif option.startswith("-") and option != "-":
            own = {o for p in (command.params if command else ()) for o in (*p.opts, *p.secondary_opts)}
            if option not in known | own:
                return option
        elif command is None:
            if word not in COMMANDS:
                return word
            command, path = command_of(word), [word]
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return f"{' '.join(path)} {word}"
            command, path = command.commands[word], [*path, word]
    return ""


def test_every_command_and_option_exists(page: Path) -> None:
    wrong = [(where, unknown) for where, call in allot_calls(page) if (unknown := unknown_in_call(call))]
    assert wrong == []


def test_the_demo_calls_commands_and_options_that_exist() -> None:
    text = re.sub(r"\\\n\s*", " ", (ROOT / "etc" / "demo" / "run-demo").read_text("utf-8"))
    lines = [line.strip() for line in text.replace("as_department ", "allot ").splitlines()]
    calls = [call for line in lines if line.startswith("allot ") and "·" not in line for call in calls_in(line)]
    assert len(calls) > 10
    assert [unknown for call in calls if (unknown := unknown_in_call(call))] == []


def settings_names() -> set[str]:
    return {f"{name}.{key}" for name, section in Settings() for key in type(section).model_fields}


def test_every_setting_and_every_code_exists(page: Path) -> None:
    acts = {rule.action for rule in RULES.values()}
    texts, settings = set(all_texts()) | acts, settings_names()
    families = {name.partition(".")[0] for name in texts | settings}
    fields = {path for path, _ in field_paths()}
    for code in inline_code(page):
        if re.fullmatch(r"[a-z]+(\.[a-z_]+)+", code) and code.partition(".")[0] in families and code not in fields:
            assert code in texts | settings, code
        for name in re.findall(r"\bALLOT_([A-Z]+)__([A-Z_]+)\b", code):
            assert ".".join(name).lower() in settings, code


def test_every_toml_example_is_accepted_by_the_settings(page: Path) -> None:
    for block in blocks(page):
        if block.language == "toml":
            told = tomllib.loads(block.text)
            assert Settings.model_validate(told).model_fields_set == told.keys(), block.place


def test_every_yaml_example_is_read_by_its_parser(page: Path) -> None:
    for block in blocks(page):
        if block.language != "yaml":
            continue
        assert block.words, f"{block.place}: say what it is: ticket, ticket-part, site"
        if block.words[0] == "ticket":
            parse_ticket(block.text.encode(), today=_DAY)
        elif block.words[0] == "ticket-part":
            parse_ticket(completed(block.text), today=_DAY)
        elif block.words[0] == "site":
            parse_site(block.text.encode(), known=known_codes())
        elif block.words[0] == "clouds":
            for cloud in yaml.safe_load(block.text)["clouds"].values():
                read_settings(cloud["allotment"])
        else:
            # Wrong on purpose: what is said about it is compared where the examples are run.
            assert block.words[0] == "ticket-wrong", block.place
            assert block.option("file"), block.place


def known_codes() -> dict[str, set[str]]:
    """Return what the example site holds: the pages go on from there."""
    site = parse_site((ROOT / "etc" / "examples" / "site.yaml").read_bytes())
    return {
        "department": {d.code for d in site.departments},
        "project": {p.code for p in site.projects},
        "zone": {z.code for z in site.zones},
        "pool": {p.code for p in site.pools},
    }


def completed(part: str) -> bytes:
    """Return the example ticket with the keys of a part in place of its own."""
    whole = yaml.load((ROOT / "etc" / "examples" / "portal.yaml").read_text("utf-8"), Loader=yaml.BaseLoader)
    return yaml.safe_dump(whole | yaml.load(part, Loader=yaml.BaseLoader), allow_unicode=True).encode()


def test_every_example_file_is_read_by_its_parser() -> None:
    for path in sorted((ROOT / "etc" / "examples").glob("*.yaml")):
        data = path.read_bytes()
        if b"kind: Site" in data:
            parse_site(data)
        else:
            parse_ticket(data, today=_DAY)


def test_every_example_of_a_price_book_is_read() -> None:
    for path in sorted((ROOT / "etc" / "examples" / "finance").glob("price-book*.yaml")):
        found = read_book(path.read_bytes(), id_="book_1", departments={"civil-affairs": "dept_1"}, zone=ZoneInfo("UTC"))
        assert found.version.rates, path


def test_every_example_of_budgets_is_read() -> None:
    projects = {"GZ2026-MZJ-017": "proj_1"}
    assert read_budgets((ROOT / "etc" / "examples" / "finance" / "budgets.yaml").read_bytes(), projects=projects)


def test_every_example_of_cost_pools_is_read() -> None:
    assert read_costs((ROOT / "etc" / "examples" / "finance" / "cost-pools.yaml").read_bytes(), ZoneInfo("UTC"))


def test_every_console_block_has_commands_and_says_whether_it_is_run(page: Path) -> None:
    for block in blocks(page):
        assert block.language in ("console", "yaml", "toml", "ini", "sh", "python", "text"), block.place
        if block.language == "console":
            assert commands(block), block.place
            assert block.words[:1] == ("run",), block.place


def test_every_python_example_imports_what_is_there(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            imports = [node for node in ast.parse(block.text).body if isinstance(node, ast.ImportFrom)]
            assert imports, block.place
            for node in imports:
                module = import_module(node.module or "")
                assert all(hasattr(module, alias.name) for alias in node.names), block.place


def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    told = [*inline_code(page), *(b.text for b in blocks(page) if b.language in ("sh", "text"))]
    for text in told:
        for target in re.findall(r"(?:^|[$ ] ?)make ([a-z][a-z-]*)", text):
            assert target in targets, target


def test_every_path_in_code_marks_exists(page: Path) -> None:
    rooms = ("controller", "drivers", "inventory", "quotas", "metering", "playbooks", "etc", "tests", "docs")
    for code in inline_code(page):
        if re.fullmatch(rf"(?:{'|'.join(rooms)})(?:/[\w.\-]+)*/?", code) and "/" in code:
            assert (ROOT / code).exists(), code


def test_the_department_page_has_every_field_with_its_chinese_name() -> None:
    text = (DOCS / "department.md").read_text("utf-8")
    rows = set(re.findall(r"^\| `([a-zA-Z.-]+)` \| (\S+?) \|", text, re.MULTILINE))
    assert rows == {(path, KEYS[path]) for path, is_offered in field_paths() if is_offered}


def test_fields_that_are_not_offered_stand_in_the_list_of_what_is_not_yet_there() -> None:
    told = section((DOCS / "concepts.md").read_text("utf-8"), "Not yet")
    missing = [path for path, is_offered in field_paths() if not is_offered and f"`{path}`" not in told]
    assert missing == []


def section(text: str, title: str) -> str:
    """Return what stands under a heading of the second level."""
    return re.split(r"^## ", text.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_states_and_roles_stand_in_their_tables() -> None:
    concepts, auditor, operator = ((DOCS / f"{n}.md").read_text("utf-8") for n in ("concepts", "auditor", "operator"))
    for state in TicketState:
        assert f"`{state.value}`" in concepts, state
    for admin_state in AdminState:
        assert f"`{admin_state.value}`" in operator, admin_state
    for role in Role:
        assert f"`{role.value}`" in auditor, role


def direct_python_packages() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    asked = [
        *project["project"]["dependencies"],
        *(line for extra in extras for line in extra),
        *(line for group in project["dependency-groups"].values() for line in group),
        *project["build-system"]["requires"],
        *(line for line in (ROOT / "requirements-ansible.in").read_text("utf-8").splitlines() if line and line[0] != "#"),
    ]
    return {re.split(r"[><=!~;\[ ]", line, maxsplit=1)[0].lower() for line in asked}


def debian_packages() -> set[str]:
    script = (ROOT / "etc" / "setup" / "install-packages").read_text("utf-8")
    lists = re.findall(r'^\s+\[\w+\]="([^"]+)"', script, re.MULTILINE)
    assert len(lists) >= 3, "the lists of install-packages are not found any more"
    return {name for text in lists for name in text.split()}


def packages_told(heading: str) -> dict[str, list[str]]:
    """Return the rows of a table of the page of dependencies: package -> its other columns."""
    text = section((DOCS / "dependencies.md").read_text("utf-8"), heading)
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", text, re.MULTILINE)]
    return {name.strip("`").lower(): rest for name, *rest in rows if name.startswith("`")}


@pytest.mark.parametrize(
    ("heading", "wanted"),
    [("Python packages", direct_python_packages()), ("Debian packages", debian_packages())],
    ids=["python", "debian"],
)
def test_every_direct_dependency_has_a_reason_and_a_licence(heading: str, wanted: set[str]) -> None:
    told = packages_told(heading)
    assert set(told) == wanted
    assert all(len(cells) == 3 and all(cells) for cells in told.values()), "package, where, reason, licence"


def test_pages_promise_nothing_outside_the_list_of_what_is_not_yet_there() -> None:
    later = re.compile(r"\bOVN\b|load balanc|负载均衡|Octavia|high availability|coming soon|in a later", re.IGNORECASE)
    for page in PAGES:
        text = page.read_text("utf-8")
        if page.name in ("dependencies.md", "openstack.md"):  # name packages, and verbs of a driver that are there
            continue
        if page.name == "concepts.md":
            text = text.replace(section(text, "Not yet"), "")
        assert later.findall(text) == [], page.name


OTHERS = sorted({*DOCS.rglob("*.md"), ROOT / "CHANGELOG.md"} - set(PAGES))


@pytest.mark.parametrize("other", OTHERS, ids=[str(other.relative_to(ROOT)) for other in OTHERS])
def test_generated_pages_and_decisions_lead_somewhere_and_call_what_exists(other: Path) -> None:
    test_every_relative_link_leads_somewhere(other)
    calls = [(where, call) for where, call in allot_calls(other) if "COMMAND" not in call]
    assert [(where, unknown) for where, call in calls if (unknown := unknown_in_call(call))] == []


def told_calls(text: str) -> Iterator[list[str]]:
    """Yield the commands a sentence tells to run: ``allot`` and the words in small letters that follow it."""
    for words in re.findall(r"(?<![\w./-])allot((?: +(?:[a-z][a-z-]*|--[a-z-]+)(?![\w.{]))+)", text):
        yield words.split()


@pytest.mark.parametrize("code", sorted(code for code, text in all_texts().items() if "allot " in f"{text.zh}{text.cure_zh}"))
def test_what_a_text_tells_to_run_exists(code: str) -> None:
    text = all_texts()[code]
    for sentence in (text.zh, text.cure_zh):
        # In Chinese no word runs on behind a command: what is in small letters belongs to it.
        assert [call for call in told_calls(sentence) if unknown_in_call(call)] == []


def test_a_command_that_a_text_made_up_is_found() -> None:
    assert [unknown_in_call(call) for call in told_calls("请运行 allot hosts list，再运行 allot host lists --yes。")] == [
        "hosts",
        "host lists",
    ]
    assert [unknown_in_call(call) for call in told_calls("allot check {file} --fix 或 allot explain")] == ["", ""]
