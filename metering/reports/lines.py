"""The datasets of our own: rated lines, and rows of statements. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from metering.lines import CHARGED, charged
from metering.rating import yuan
from metering.reports.columns import Column, Dataset, Type, plain, shifted
from metering.reports.facets import Owner, OwnerCells, PriceCells, Priced, PriceKey, Subjects
from metering.reports.words import priced_texts

Neutral = Callable[[str], str]
#: Places of a quantity in priced units.
QUANTITY_SCALE = 7
#: Base units × seconds → priced units × 10⁷, rounded half up; in 128 bits, which raise where they do not suffice. What is
#: known to be small takes the same way in 64 bits, the whole units first, so that no product of it is large.
QUANTITY = (
    f"CASE WHEN p.unit IS NULL THEN NULL WHEN c.is_small THEN (c.factor * c.seconds // p.over) * {10**QUANTITY_SCALE} "
    f"+ (2 * (c.factor * c.seconds % p.over) * {10**QUANTITY_SCALE} + p.over) // (2 * p.over) ELSE "
    f"(2 * c.factor::HUGEINT * c.seconds * {10**QUANTITY_SCALE} + p.over) // (2 * p.over::HUGEINT) END"
)
#: ``metering.lines.charged`` of a row.
CHARGED_SQL = f"CASE WHEN billing = '{CHARGED}' THEN billed ELSE 0 END"
#: The 16 bytes of an id as hexadecimal digits.
LINE_ID = "CASE WHEN has_id THEN format('{:016x}{:016x}', id_high, id_low) END"
#: Every row finds one in each of the small tables, which stand on the right: the rows keep their order.
JOINED = (
    f"(SELECT c.*, o.* EXCLUDE (owner), p.* EXCLUDE (price), r.* EXCLUDE (resource), {QUANTITY} AS quantity "  # noqa: S608  our own
    "FROM chunk c JOIN owners o ON o.owner = c.owner JOIN prices p ON p.price = c.price "
    "JOIN resources r ON r.resource = c.resource)"
)


def lines(period_id: str) -> Dataset:
    """Return the dataset of rated lines."""
    return Dataset(
        name="lines",
        source=JOINED,
        columns=(
            Column("line_id", LINE_ID),
            Column("kind", "kind"),
            Column("period", f"'{period_id}'"),
            Column("department_code", "department_code"),
            Column("department_name", "department_name"),
            Column("project_code", "project_code"),
            Column("project_name", "project_name"),
            Column("budget_code", "budget_code"),
            Column("system", "system_name"),
            Column("resource_id", "resource_id"),
            Column("resource_kind", "resource_kind"),
            Column("resource_name", "resource_name"),
            Column("meter", "meter"),
            Column("state", "state"),
            Column("amount", "amount", Type.INTEGER),
            Column("start", "start_s", Type.MOMENT),
            Column("end", "end_s", Type.MOMENT),
            Column("seconds", "end_s - start_s", Type.INTEGER),
            Column("quantity", shifted("quantity", QUANTITY_SCALE, QUANTITY_SCALE), Type.DECIMAL, QUANTITY_SCALE),
            Column("unit", "unit"),
            Column("unit_price_yuan", shifted("micro", 6, 6), Type.DECIMAL),
            Column("discount_basis_points", "points", Type.INTEGER),
            Column("list_yuan", shifted("listed", 6, 6), Type.DECIMAL),
            Column("yuan", shifted("billed", 6, 6), Type.DECIMAL),
            Column("billing", "billing"),
            Column("billed_yuan", shifted(CHARGED_SQL, 6, 6), Type.DECIMAL),
            Column("book_id", "book_id"),
            Column("service_code", "service_code"),
            Column("opened_by", "opened_by", Type.INTEGER),
            Column("closed_by", "closed_by", Type.INTEGER),
            Column("corrects_line_id", "nullif(reference, '')"),
            Column("note", "note"),
        ),
    )


def owner_cells(neutral: Neutral) -> OwnerCells:
    """Return what makes the cells that tell whose a line is."""

    def cells(owner: Owner, subjects: Subjects) -> Mapping[str, str | None]:
        code, name = subjects.departments.get(owner.department_id, ("", ""))
        project, project_name, budget = subjects.projects.get(owner.project_id, ("", "", ""))
        return {
            "department_code": neutral(code),
            "department_name": neutral(name),
            "project_code": neutral(project) or None,
            "project_name": neutral(project_name) or None,
            "budget_code": neutral(budget) or None,
            "system_name": neutral(subjects.systems.get(owner.system_id, "")) or None,
        }

    return cells


def price_cells(neutral: Neutral) -> PriceCells:
    """Return what makes the cells of kind and price."""

    def cells(key: PriceKey, counted: Priced) -> Mapping[str, str | None]:
        return {
            "kind": key.kind,
            "meter": neutral(key.meter),
            "state": key.state or None,
            "billing": key.billing,
            "unit": counted.unit or None,
            "book_id": key.book_id or None,
            "service_code": neutral(counted.code) or None,
        }

    return cells


_STATEMENTS = (
    plain("period"), plain("department_code"), plain("department_name"), plain("project_code"), plain("project_name"),
    plain("budget_code"), plain("meter"), plain("kind"), plain("unit"), plain("quantity", Type.BIG),
    plain("list_yuan", Type.DECIMAL), plain("yuan", Type.DECIMAL), plain("billing"), plain("billed_yuan", Type.DECIMAL),
    plain("payable_yuan", Type.DECIMAL, 2), plain("priced_quantity", Type.DECIMAL, 3), plain("priced_unit"),
)  # fmt: skip
STATEMENTS = Dataset(name="statements", columns=_STATEMENTS)


def statement_cells(statement: Mapping[str, Any], row: Mapping[str, Any], neutral: Neutral) -> Mapping[str, Any]:
    """Return one row of a statement as texts."""
    names = ("project_code", "project_name", "budget_code", "meter", "kind", "unit")
    return {
        "period": row["period_id"],
        "department_code": neutral(statement["department_code"]),
        "department_name": neutral(statement["department_name"]),
        **{name: neutral(row[name]) or None for name in names},
        "quantity": row["quantity"],
        "list_yuan": yuan(row["list_micro_yuan"]),
        "yuan": yuan(row["micro_yuan"]),
        "billing": row["billing"],
        "billed_yuan": yuan(charged(row["micro_yuan"], row["billing"])),
        "payable_yuan": fen(row["fen"]),
        **priced_texts(row),
    }


def fen(amount: int) -> str:
    """Return fen as yuan with two decimals."""
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02d}"
