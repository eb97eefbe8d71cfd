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


def assert_names_tests(cell: str) -> None:
    """Fail unless a cell names tests that exist, at least one, and nothing else."""
    named = NAMED.findall(cell)
    assert named
    assert NAMED.sub("", cell).strip() == "", "only names of tests stand in the last column"
    for path, name in named:
        assert name in named_in(path), f"{path}::{name}"
