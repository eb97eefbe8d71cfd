"""From rated lines to statements, and from statements to the seal of a period. Pure.

A statement is one department's: a row for each project, meter and kind, in micro-yuan and in fen. Rows in fen add up to its
footer, footers to the period; what rounding took or gave is a figure of its own. What is only shown costs the same, and its fen
are none.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from metering.lines import CHARGED, MICRO_PER_FEN, Kind, Line, charged, in_fen
from metering.meters import is_timed, meter_of

#: What the first period points back to.
GENESIS = "0" * 64
_BY_HAND = (Kind.ADJUSTMENT, Kind.CORRECTION)
Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What departments and projects are called at the review, and how departments are billed."""

    #: id -> (code, name).
    departments: Mapping[str, tuple[str, str]]
    #: id -> (code, name, budget code).
    projects: Mapping[str, tuple[str, str, str]]
    #: id -> ``chargeback`` | ``showback``; who is missing is charged.
    billing: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def as_sealed(cls, statements: Sequence[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]) -> "Names":
        """Return the names and the billing statements were sealed with."""
        return cls(
            departments={s["department_id"]: (s["department_code"], s["department_name"]) for s in statements},
            projects={r["project_id"]: (r["project_code"], r["project_name"], r["budget_code"]) for r in rows},
            billing={s["department_id"]: s["billing"] for s in statements},
        )

    def billing_of(self, department_id: str) -> str:
        """Return how what a department uses is billed."""
        return self.billing.get(department_id, CHARGED)


@dataclass(slots=True)
class Summing:
    """Adds lines up as they pass, and keeps the ids of each department's lines."""

    period_id: str
    #: (department, project, meter, kind, billing) -> [quantity, list, cost].
    sums: dict[Key, list[int]] = field(default_factory=dict)
    #: Lines of each department.
    counts: dict[str, int] = field(default_factory=dict)
    #: Ids of each department's lines; none where only sums are wanted.
    ids: dict[str, list[bytes]] = field(default_factory=dict)
    #: The same already in their order, end to end, where they came as columns.
    sorted_ids: dict[str, bytes] = field(default_factory=dict)

    def passing(self, lines: Iterable[Line]) -> Iterator[tuple[bytes, Line]]:
        """Return the lines with their ids, counted."""
        for line in lines:
            self.count(line)
            line_id = line.id_in(self.period_id)
            self.ids.setdefault(line.department_id, []).append(line_id)
            yield line_id, line

    def count(self, line: Line) -> None:
        """Count one line."""
        # Services and what was passed count in units, all else in units × seconds, which what is unused already is; corrections
        # have no quantity of their own.
        quantity = 0
        is_whole = line.kind in (Kind.COUNTED, Kind.COMMITMENT_UNUSED)
        if is_whole or (line.kind == Kind.ENTRY and not is_timed(line.meter)):
            quantity = line.amount
        elif line.kind not in _BY_HAND:
            quantity = line.amount * (line.end_s - line.start_s)
        key = (line.department_id, line.project_id, line.meter, line.kind, line.billing)
        self.more(key, 1, quantity, line.list_micro_yuan, line.micro_yuan)

    def more(self, key: Key, count: int, quantity: int, listed: int, billed: int) -> None:
        """Count what ``count`` lines come to."""
        found = self.sums.get(key)
        if found is None:
            found = self.sums[key] = [0, 0, 0]
        found[0] += quantity
        found[1] += listed
        found[2] += billed
        self.counts[key[0]] = self.counts.get(key[0], 0) + count


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """Everything a period comes to."""

    statements: tuple[Mapping[str, Any], ...]
    rows: tuple[Mapping[str, Any], ...]
    line_count: int
    micro_yuan: int
    fen: int
    seal: str


def seal(period: Mapping[str, Any], summing: Summing, names: Names, previous: str) -> Sealed:
    """Return the statements of a period and its seal: SHA-256 over all of it and the seal before it."""
    statements: list[Mapping[str, Any]] = []
    rows: list[Mapping[str, Any]] = []
    for department_id in sorted(summing.counts):
        own = [(key, sums) for key, sums in sorted(summing.sums.items()) if key[0] == department_id]
        statement, its_rows = _statement(period["id"], department_id, own, summing, names)
        statements.append(statement)
        rows += its_rows
    return Sealed(
        statements=tuple(statements),
        rows=tuple(rows),
        line_count=sum(s["line_count"] for s in statements),
        micro_yuan=sum(s["micro_yuan"] for s in statements),
        fen=sum(s["fen"] for s in statements),
        seal=period_seal(period, previous, [s["seal"] for s in statements]),
    )


def period_seal(period: Mapping[str, Any], previous: str, seals: Sequence[str]) -> str:
    """Return the seal over the seals of a period's statements, by department, and the seal before it."""
    head = {name: period[name] for name in ("id", "zone", "start_s", "end_s")}
    return hashlib.sha256(_canonical([head, previous, list(seals)])).hexdigest()


#: Columns of a statement that are no part of what is sealed.
_UNSEALED = ("seal", "acknowledged_by", "acknowledged_at_s")


def statement_seal(statement: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], ids: bytes) -> str:
    """Return the seal over a statement, its rows by project, meter and kind, and the ids of its lines in their order."""
    sealed = {name: value for name, value in statement.items() if name not in _UNSEALED}
    return hashlib.sha256(_canonical([sealed, list(rows)]) + ids).hexdigest()


def _statement(
    period_id: str, department_id: str, sums: Sequence[tuple[Key, list[int]]], summing: Summing, names: Names
) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    billed_parts = [charged(figures[2], key[4]) for key, figures in sums]
    shares = in_fen(billed_parts)
    rows: list[Mapping[str, Any]] = []
    for (key, (quantity, listed, billed)), fen in zip(sums, shares.parts_fen, strict=True):
        _, project_id, meter, kind, billing = key
        code, name, budget = names.projects.get(project_id, ("", "", ""))
        rows.append(
            {
                "period_id": period_id, "department_id": department_id, "project_id": project_id, "meter": meter, "kind": kind,
                "billing": billing,
                "project_code": code, "project_name": name, "budget_code": budget, "unit": meter_of(meter).base_unit,
                "quantity": str(quantity), "list_micro_yuan": listed, "micro_yuan": billed, "fen": fen,
            }
        )  # fmt: skip
    billed = sum(billed_parts)
    code, name = names.departments[department_id]
    statement = {
        "period_id": period_id,
        "department_id": department_id,
        "department_code": code,
        "department_name": name,
        "line_count": summing.counts[department_id],
        "list_micro_yuan": sum(figures[1] for _, figures in sums),
        "billing": names.billing_of(department_id),
        "micro_yuan": sum(figures[2] for _, figures in sums),
        "billed_micro_yuan": billed,
        "fen": shares.total_fen,
        "rounding_micro_yuan": shares.total_fen * MICRO_PER_FEN - billed,
    }
    ids = summing.sorted_ids.get(department_id) or b"".join(sorted(summing.ids.get(department_id, ())))
    seal_ = statement_seal(statement, rows, ids)
    return {**statement, "seal": seal_, "acknowledged_by": None, "acknowledged_at_s": None}, rows


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
