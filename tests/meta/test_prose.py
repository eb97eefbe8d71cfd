"""What is told to people is a code with values, never a sentence of one language that stands in the code."""

import ast
import re
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from controller.api.finding_view import sentence
from controller.texts.catalogue import all_texts
from metering.reconciliation import Books, Unexplained, unexplained
from tests.support.codes import Source, sources
from tests.support.prose import all_sentences, sentences

#: Rooms whose words are no sentences for the people who ask, each with its reason.
_ROOMS = {
    "controller/migrations": "SQL",
    "controller/metrics": "help texts of metrics, which are English everywhere",
    "controller/replay": "names of columns of traces",
    "drivers": "words for the back end, and reasons of what it refused, inside a sentence of the catalogue",
    "metering/guards.py": "SQL",
    "metering/reports": "words of the FOCUS standard, and SQL",
}
#: Places with prose, each with its reason; the second half is a call around it, or a part of the text.
_ALLOWED = {
    ("controller/reconcile/auditor.py", "Violation"): "told to the log only",
    ("controller/reconcile/auditor.py", "no cell"): "a part of what is told to the log",
    ("controller/identity/tables.py", "is append-only"): "raised by the database against who goes past the program",
    ("controller/api/problems.py", "Bearer realm"): "a header",
    ("controller/api/openapi.py", "An opaque token"): "a description for those who program",
    ("controller/state.py", "foreign key"): "what SQLite says of itself, as a value of a sentence",
    ("controller/cli/main.py", "could not be put into words"): "said where the texts themselves cannot be loaded",
    ("controller/local/", "bold red"): "a style",
    ("inventory/importers/image_inspection.py", "_require"): "names of fields of the format",
    ("inventory/importers/image_inspection.py", "_check_table"): "names of fields of the format",
    ("inventory/importers/shapes.py", "Not offered on this platform yet."): "beside its Chinese in the schema",
    ("metering/rated_period.py", "late word of"): "sealed in lines and exported: it stays as it was written",
}


#: A machine of which every book says the same.
SOUND = Books(
    resource_id="inst_1", phase="settled", observed="running", is_due=False, metered={"vcpu": 1}, state="running",
    claimed={"vcpu": 1},
)  # fmt: skip


def test_no_sentence_stands_in_the_code_in_one_language() -> None:
    found = [s for s in all_sentences(*_ROOMS) if not _is_command(s.text, s.calls)]
    used = set()
    strangers = []
    for each in found:
        why = [k for k in _ALLOWED if each.where.startswith(k[0]) and (k[1] in each.calls or k[1] in each.text)]
        used |= set(why)
        if not why:
            strangers.append(f"{each.where}: {each.text!r}")
    assert strangers == [], "give it a code in the catalogue, and its values"
    assert _ALLOWED.keys() - used == set(), "no longer there: take it off the list"


def _is_command(text: str, calls: tuple[str, ...]) -> bool:
    """Tell whether a text is what one types."""
    return text.startswith("allot ") or "local_step" in calls


@pytest.mark.parametrize(
    "code",
    [
        'def f(x):\n    return f"altered line {x}"\n',
        'def f(x):\n    yield "rows of statements"\n',
        'def f(x):\n    return Finding(detail={"cards": f"{x}, no packet filter"})\n',
        'def f(x):\n    faults.append("the seal is another")\n',
    ],
)
def test_prose_is_found(code: str) -> None:
    assert list(sentences(Source(Path(__file__), ast.parse(code))))


@pytest.mark.parametrize(
    "code",
    [
        'def f(x):\n    """Return what it is."""\n',
        'def f(x):\n    log.error("a closed month is not what was sealed", period=x)\n',
        'def f(x):\n    raise ValueError("not a thing of ours")\n',
        'def f(x):\n    assert x, "never so here"\n',
        'def f(x):\n    return Problem("fault.line_altered", {"line": x})\n',
        'def f(c):\n    c.exec_driver_sql("CREATE TABLE of things")\n',
    ],
)
def test_what_nobody_is_shown_is_no_prose(code: str) -> None:
    assert list(sentences(Source(Path(__file__), ast.parse(code)))) == []


def disagreement() -> Unexplained:
    found = unexplained(replace(SOUND, metered={"vcpu": 2}))
    assert found is not None
    return found


def test_whatever_a_finding_may_hold_has_its_sentence() -> None:
    keys = {key for source in sources() for key in _finding_keys(source)}
    keys |= disagreement().evidence.keys()
    assert {"name", "what", "resource", "vcpu_count", "reason"} <= keys
    #: Told by sentences of their own (``controller.api.finding_view``).
    composed = {"cards": "finding.card_missing", "what": "finding.what_definition"}
    texts = all_texts()
    source = next(s for s in sources() if s.name == "metering/reconciliation.py")
    returned = [node for node in ast.walk(source.tree) if isinstance(node, ast.Return) and node.value is not None]
    said = {str(n.value) for node in returned for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    kinds = {word for word in said if re.fullmatch("[a-z_]+", word)}
    assert len(kinds) == 7
    assert [kind for kind in sorted(kinds) if f"finding.kind_{kind}" not in texts] == []
    assert [key for key in sorted(keys) if composed.get(key, f"finding.{key}") not in texts] == []


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_what_the_books_disagree_on_is_told(language: str) -> None:
    found = disagreement()
    told = sentence({"kind": found.kind, **found.evidence}, language, UTC)
    assert "finding." not in told
    assert "vcpu 2" in told
    assert bool(re.search("[\u4e00-\u9fff]", told)) == (language != "en")


def _finding_keys(source: Source) -> set[str]:
    """Return what findings of a module hold: keywords of ``report``, and the keys written out for a ``Finding``."""
    keys: set[str] = set()
    for call in (node for node in ast.walk(source.tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "report" and source.name.startswith("controller/workflows"):
            keys |= {word.arg for word in call.keywords if word.arg and word.arg not in ("state", "is_left")}
        if isinstance(call.func, ast.Name) and call.func.id == "Finding":
            details = [word.value for word in call.keywords if word.arg == "detail" and isinstance(word.value, ast.Dict)]
            written = [key.value for detail in details for key in detail.keys if isinstance(key, ast.Constant)]
            keys |= {value for value in written if isinstance(value, str)}
    return keys
