"""``--help`` is complete in both languages, fits the terminal, and loads nothing heavy."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unicodedata import east_asian_width

import pytest

from controller.cli.help_page import page, wanted_path
from controller.cli.lazy import COMMANDS, TEXTS, load
from controller.cli.main import build
from tests.support.service import ROOT

LANGUAGES = ("zh-CN", "en")


def _tree(language: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    def below(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield path, command
        for name, child in getattr(command, "commands", {}).items():
            yield from below((*path, name), child)

    for name in COMMANDS:
        yield from below((name,), load(name, language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_and_every_parameter_has_its_help(language: str) -> None:
    root = build(language)
    missing = [p.name for p in root.params if not getattr(p, "help", "")]
    for path, command in _tree(language):
        if not command.help:
            missing.append(" ".join(path))
        missing += [f"{' '.join(path)}: {p.name}" for p in command.params if not p.help]
    assert missing == []


def test_no_help_text_is_left_over() -> None:
    used = {"cli.param.help", *(f"cli.param.{p.name}" for p in build("en").params)}
    for path, command in _tree("en"):
        dotted = ".".join(path)
        used.add(f"cli.help.{dotted}")
        for parameter in command.params:
            own = f"cli.param.{dotted}.{parameter.name}"
            used.add(own if own in TEXTS else f"cli.param.{parameter.name}")
    written = {code for code in TEXTS if code.startswith(("cli.help.", "cli.param."))}
    assert written - used == {"cli.help.root"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_fits_a_terminal_of_80_columns(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    root = build(language)
    for path, _ in [((), root), *_tree(language)]:
        for line in page(root, path, language).splitlines():
            width = sum(2 if east_asian_width(c) in "WF" else 1 for c in line)
            assert width <= 80 or " " not in line.strip(), (path, line)


def test_a_chinese_page_has_no_english_sentence() -> None:
    root = build("zh-CN")
    for path, _ in [((), root), *_tree("zh-CN")]:
        # Options are called the same in every language.
        text = re.sub(r"--[a-z-]+", "", page(root, path, "zh-CN"))
        assert not re.search(r"\b(the|of|and|this)\b", text), (path, text)


def test_help_is_found_wherever_it_is_written() -> None:
    assert wanted_path(["host", "--help"], ()) == ["host"]
    assert wanted_path(["--output", "json", "db", "backup", "--help"], ("--output",)) == ["db", "backup"]
    assert wanted_path(["check", "file.yaml"], ()) is None
    assert wanted_path(["check", "--", "--help"], ()) is None


def test_arguments_after_a_command_do_not_change_its_page() -> None:
    root = build("en")
    assert page(root, ["check", "ticket.yaml"], "en") == page(root, ["check"], "en")


def test_help_loads_no_web_database_or_table_library() -> None:
    code = (
        "import sys; from controller.cli.main import run; run(['--help']);"
        "heavy = {'httpx', 'sqlalchemy', 'fastapi', 'pydantic', 'rich', 'yaml', 'libvirt', 'ansible_runner', 'uvicorn'};"
        "found = heavy & set(sys.modules); assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_client_commands_load_no_state_and_no_back_end() -> None:
    """Everything a client command may import, imported: nothing of the service may come with it."""
    modules = sorted({e.module for e in COMMANDS.values() if ".local." not in e.module})
    parts = [
        "client",
        "details",
        "explain_view",
        "follow",
        "lists",
        "machines",
        "output",
        "plan_view",
        "ticket_view",
        "documents",
        "ask",
    ]
    names = [*modules, *(f"controller.cli.{p}" for p in parts)]
    code = (
        f"import sys, importlib; [importlib.import_module(n) for n in {names!r}];"
        "heavy = [m for m in sys.modules if m.split('.')[0] in ('sqlalchemy', 'fastapi', 'drivers', 'libvirt')"
        " or m.startswith(('controller.workflows', 'controller.reconcile', 'controller.api', 'inventory.store'))];"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
