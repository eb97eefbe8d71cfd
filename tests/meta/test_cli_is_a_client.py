"""The command line talks to the API: the import contract covers all of it, and only the lazy table names modules by text."""

import ast
import tomllib
from importlib import import_module

from controller.cli.lazy import COMMANDS, LOCAL_STEPS, local_step
from tests.support.generate_docs import DOCS

ROOT = DOCS.parent
CLI = ROOT / "controller" / "cli"


def test_the_contract_covers_the_whole_command_line() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    contract = next(c for c in contracts if c["name"].startswith("The command line is a client of the API"))
    assert contract["source_modules"] == ["controller.cli"]
    assert not contract.get("allow_indirect_imports")
    assert not contract.get("ignore_imports")
    forbidden = {"sqlalchemy", "drivers", "inventory.store", "controller.workflows", "controller.api", "controller.local"}
    assert forbidden <= set(contract["forbidden_modules"])


def test_only_the_lazy_table_loads_modules_by_text() -> None:
    """An import by text is one no contract sees."""
    found = []
    for path in sorted(CLI.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import) for alias in node.names}
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        if names & {"import_module", "importlib", "__import__"} or any(t.startswith("controller.") for t in texts):
            found.append(path.name)
    assert found == ["lazy.py"]


def test_every_line_of_the_lazy_table_is_there() -> None:
    for name, entry in COMMANDS.items():
        assert import_module(entry.module).app, name
    for name in LOCAL_STEPS:
        group, _, _ = name.partition(" ")
        assert COMMANDS[group].is_group
        assert callable(local_step(name))
