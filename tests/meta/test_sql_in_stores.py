"""SQL stands in the stores, beside the tables it is about, and nowhere else."""

import ast
from pathlib import Path

import pytest

from tests.support.generate_docs import DOCS

ROOT = DOCS.parent
ROOMS = ("controller", "drivers", "inventory", "metering", "quotas")
#: What hands a transaction on may name its type; nothing else of the library is for modules that are no store.
FOR_EVERYBODY = {("sqlalchemy", "Connection"), ("sqlalchemy.exc", "IntegrityError")}
#: Stores under another name: each is the only SQL of one record, or reads sums of several.
STORES = {
    "controller/identity/audit.py": "the chain of the audit",
    "controller/identity/keys.py": "idempotency keys and the answers kept for them",
    "controller/identity/tokens.py": "tokens, by their hash",
    "controller/tickets/summary.py": "sums over all tickets",
    "metering/adjustments.py": "corrections by hand",
    "metering/entries.py": "services and labour entered by hand",
    "metering/guards.py": "triggers and constraints, made with the tables",
    "metering/reports/source.py": "what reports read",
    "quotas/summary.py": "sums over all limits",
}


def _is_store(name: str) -> bool:
    path = Path(name)
    if path.is_relative_to("inventory/store") or path.is_relative_to("controller/migrations"):
        return True
    return path.stem in ("store", "tables") or path.stem.endswith(("_store", "_tables")) or name in STORES


def _faults(name: str, source: str) -> list[str]:
    """Return what a module that is no store takes of the SQL library and of the tables."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] == "sqlalchemy" or a.name in _TABLES]
        elif isinstance(node, ast.ImportFrom) and node.module:
            taken = [(node.module, a.name) for a in node.names]
            if node.module.split(".")[0] == "sqlalchemy":
                found += [f"{module}.{what}" for module, what in taken if (module, what) not in FOR_EVERYBODY]
            found += [f"{m}.{what}" for m, what in taken if m in _TABLES or f"{m}.{what}" in _TABLES]
        elif isinstance(node, ast.Attribute) and node.attr == "exec_driver_sql":
            found.append(node.attr)
    return [f"{name}: {what}" for what in found]


def _modules() -> dict[str, str]:
    paths = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


def _table_modules() -> frozenset[str]:
    """Return the modules that declare tables of the state (a table of the scheduler is something else)."""
    named = (n for n, source in _modules().items() if Path(n).stem.endswith("tables") and "from sqlalchemy import" in source)
    return frozenset(n.removesuffix(".py").replace("/", ".") for n in named)


_TABLES = _table_modules()
#: Gathers the tables for whoever makes or compares the whole schema.
_SCHEMA = "controller/schema.py"


def test_sql_is_built_in_stores_only() -> None:
    assert {"inventory.store.tables", "controller.moves.tables", "metering.ledger_tables"} <= _TABLES
    modules = {name: source for name, source in _modules().items() if not _is_store(name) and name != _SCHEMA}
    assert len(modules) > 200
    assert [fault for name, source in modules.items() for fault in _faults(name, source)] == []


def test_every_store_under_another_name_is_one() -> None:
    modules = _modules()
    assert [name for name in STORES if not _faults(name, modules[name])] == [], "no SQL in it any more: take it off the list"


@pytest.mark.parametrize(
    "source",
    [
        "from sqlalchemy import Connection, select",
        "from sqlalchemy import func",
        "import sqlalchemy as sa",
        "from sqlalchemy.dialects.sqlite import insert",
        "def f():\n    from sqlalchemy import text",
        "from inventory.store import tables as t",
        "from inventory.store.tables import hosts",
        "import controller.moves.tables",
        "connection.exec_driver_sql('SELECT 1')",
    ],
)
def test_every_way_around_the_stores_is_seen(source: str) -> None:
    assert len(_faults("controller/workflows/quote.py", source)) == 1


def test_handing_a_transaction_on_is_no_sql() -> None:
    assert (
        _faults("controller/workflows/quote.py", "from sqlalchemy import Connection\nfrom sqlalchemy.exc import IntegrityError")
        == []
    )
