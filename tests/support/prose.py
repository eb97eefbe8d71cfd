"""Sentences in the code that are in no catalogue: what a person may read in one language only."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.codes import Source, sources

#: Two words of English in a row.
_PROSE = re.compile(r"[a-z]{2,} [a-z]{2,}")
_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|PRAGMA|CASE|WHEN|LOCK|FORMAT|ATTACH|BEGIN|COPY)\b")
#: Calls whose words are not for the people who ask: the log, SQL, and descriptions of the API for those who program.
_NOT_SHOWN = {"info", "warning", "error", "debug", "exception", "text", "execute", "exec_driver_sql", "Query", "Header"}
#: Arguments of the same kind.
_NOT_SHOWN_AS = {"internal", "description", "responses"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A piece of text a function makes."""

    text: str
    #: Module, and the calls around it from the inside out.
    where: str
    calls: tuple[str, ...]


def sentences(source: Source) -> Iterator[Sentence]:
    """Yield the prose of a module's functions: no docstrings, no assertions, nothing that is raised or logged."""
    around: dict[ast.AST, ast.AST] = {}
    for node in ast.walk(source.tree):
        around |= dict.fromkeys(ast.iter_child_nodes(node), node)
    for node in ast.walk(source.tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        if not _PROSE.search(node.value) or _SQL.search(node.value):
            continue
        chain = tuple(_outwards(node, around))
        calls = tuple(_name(call.func) for call in chain if isinstance(call, ast.Call))
        names = {word.arg for word in chain if isinstance(word, ast.keyword)}
        if _is_shown(chain) and not _NOT_SHOWN & set(calls) and not _NOT_SHOWN_AS & names:
            yield Sentence(node.value, f"{source.name}:{node.lineno}", calls)


def all_sentences(*but: str) -> list[Sentence]:
    """Return the prose of every module of the program but those whose names begin so."""
    return [sentence for source in sources() if not source.name.startswith(but) for sentence in sentences(source)]


def _is_shown(chain: tuple[ast.AST, ...]) -> bool:
    if not any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in chain):
        return False
    # A docstring stands alone; what is raised is the error family's matter (``test_codes``), or a bug's.
    return not isinstance(chain[0], ast.Expr) and not any(isinstance(n, ast.arguments | ast.Assert | ast.Raise) for n in chain)


def _outwards(node: ast.AST, around: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    while node in around:
        node = around[node]
        yield node


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
