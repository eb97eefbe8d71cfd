"""Tests that a page names in the last column of its tables: whether each of them exists."""

import ast
import re

from tests.support.doc_examples import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def named_in(path: str) -> set[str]:
    """Return the names a file has tests by: functions, and state machines that are handed to the runner."""
    body = ast.parse((ROOT / path).read_text("utf-8")).body
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    return functions | {t.id for t in targets if isinstance(t, ast.Name) and t.id.startswith("Test")}


def drawn_in(path: str) -> set[str]:
    """Return the tests of a file whose cases hypothesis draws: what is given something, and state machines."""
    body = ast.parse((ROOT / path).read_text("utf-8")).body
    given = {
        node.name
        for node in body
        if isinstance(node, ast.FunctionDef)
        for d in node.decorator_list
        if isinstance(d, ast.Call) and isinstance(d.func, ast.Name) and d.func.id == "given"
    }
    return given | {name for name in named_in(path) if name.startswith("Test")}


def assert_names_tests(cell: str) -> None:
    """Fail unless a cell names tests that exist, at least one, and nothing else."""
    named = NAMED.findall(cell)
    assert named
    assert NAMED.sub("", cell).strip() == "", "only names of tests stand in the last column"
    for path, name in named:
        assert name in named_in(path), f"{path}::{name}"
