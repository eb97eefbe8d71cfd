"""A statement as a page for paper: one self-contained HTML file, for any browser and for ``pdf``. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from metering.lines import CHARGED, MICRO_PER_FEN, SHOWN
from metering.rating import yuan
from metering.reports.lines import fen
from metering.reports.words import Say, billing_word, kind_word, meter_word, priced_quantity, unit_word

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands above and below a statement."""

    period: Row
    as_of_s: int
    zone: ZoneInfo
    provider: str
    #: Late rows about reviewed months that no review has booked yet.
    late_word_count: int = 0


_STYLE = """\
@page { size: A4; margin: 18mm 14mm; }
* { box-sizing: border-box; }
body { font: 10pt/1.45 "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC",
  "WenQuanYi Micro Hei", sans-serif; color: #111; margin: 0 auto; max-width: 190mm; }
h1 { font-size: 17pt; margin: 0 0 2mm; text-align: center; letter-spacing: .08em; }
.provider { text-align: center; color: #444; margin-bottom: 6mm; }
.facts { width: 100%; border-collapse: collapse; margin-bottom: 5mm; }
.facts th { text-align: left; font-weight: 600; width: 22mm; padding: .7mm 2mm .7mm 0; vertical-align: top; white-space: nowrap; }
.facts td { padding: .7mm 4mm .7mm 0; }
.rows { width: 100%; border-collapse: collapse; }
.rows th { border-top: 1.2pt solid #111; border-bottom: .6pt solid #111; text-align: left; padding: 1.2mm 1.5mm; }
.rows td { border-bottom: .3pt solid #bbb; padding: 1mm 1.5mm; vertical-align: top; }
.rows .n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.rows tr { break-inside: avoid; } thead { display: table-header-group; }
.rows tfoot td { border-top: .6pt solid #111; border-bottom: none; }
.rows tfoot .due td { border-top: 1.2pt solid #111; font-weight: 700; font-size: 11.5pt; }
.sign { display: flex; justify-content: space-between; margin-top: 16mm; break-inside: avoid; }
.sign div { width: 55mm; border-top: .6pt solid #111; padding-top: 1mm; }
.seal { margin-top: 8mm; font: 7.5pt/1.5 monospace; color: #444; word-break: break-all; }
.open { border: 1pt solid #a40; color: #a40; padding: 1.5mm 3mm; margin-bottom: 4mm; }
.shown { border: 1pt solid #111; padding: 1.5mm 3mm; margin-bottom: 4mm; font-weight: 600; }
"""


def page(statement: Row, rows: Sequence[Row], head: Head, say: Say, language: str) -> str:
    """Return the page."""
    title = say("report.word.statement")
    open_ = "" if head.period["state"] == "closed" else f'<p class="open">{escape(say("report.word.not_final"))}</p>\n'
    if head.late_word_count:
        open_ += f'<p class="open">{escape(say("report.word.late_word_waits"))}: {head.late_word_count}</p>\n'
    if statement["billing"] == SHOWN:
        open_ += f'<p class="shown">{escape(say("report.word.shown_not_charged"))}</p>\n'
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)} {escape(statement['department_name'])} {escape(head.period['id'])}</title>\n"
        f"<style>\n{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f'<p class="provider">{escape(head.provider)}</p>\n{open_}'
        f"{_facts(statement, head, say)}{_table(statement, rows, say)}{_end(statement, head, say)}</body>\n</html>\n"
    )


def _facts(statement: Row, head: Head, say: Say) -> str:
    pairs = (
        ("report.word.department", f"{statement['department_name']} ({statement['department_code']})"),
        (
            "report.word.month",
            f"{head.period['id']} ({_day(head.period['start_s'], head.zone)} – {_day(head.as_of_s, head.zone)})",
        ),
        ("report.word.number", f"{head.period['id']}-{statement['department_code']}"),
        ("report.word.acknowledged", statement["acknowledged_by"] or ""),
    )
    cells = "".join(f"<tr><th>{escape(say(code))}</th><td>{escape(text)}</td></tr>\n" for code, text in pairs if text)
    return f'<table class="facts">\n{cells}</table>\n'


def _table(statement: Row, rows: Sequence[Row], say: Say) -> str:
    heads = (
        ("report.word.project", ""), ("report.word.budget_code", ""), ("report.word.meter", ""), ("report.word.kind", ""),
        ("report.word.quantity", "n"), ("report.word.unit", ""), ("report.word.list_yuan", "n"),
        ("report.word.cost_yuan", "n"), ("report.word.payable_yuan", "n"),
    )  # fmt: skip
    head = "".join(f'<th class="{css}">{escape(say(code))}</th>' for code, css in heads)
    body = "".join(_row(row, say) for row in rows)
    shown = statement["micro_yuan"] - statement["billed_micro_yuan"]
    foot = (
        ("report.word.total", yuan(statement["micro_yuan"]), ""),
        *([("report.word.of_it_shown", yuan(shown), "")] if shown else []),
        ("report.word.rounding", yuan(statement["rounding_micro_yuan"]), ""),
        ("report.word.payable", fen(statement["fen"]), "due"),
    )
    ends = "".join(
        f'<tr class="{css}"><td colspan="8">{escape(say(code))}</td><td class="n">{amount}</td></tr>\n'
        for code, amount, css in foot
    )
    return f'<table class="rows">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n<tfoot>\n{ends}</tfoot>\n</table>\n'


def _row(row: Row, say: Say) -> str:
    project = " ".join(filter(None, (row["project_code"], row["project_name"])))
    kind = kind_word(row["kind"], say) + ("" if row["billing"] == CHARGED else f" ({billing_word(row['billing'], say)})")
    words = (project, row["budget_code"], meter_word(row["meter"], say), kind)
    numbers = (yuan(row["list_micro_yuan"]), yuan(row["micro_yuan"]), fen(row["fen"]))
    cells = "".join(f"<td>{escape(word)}</td>" for word in words)
    quantity, unit = _quantity(row, say)
    cells += f'<td class="n">{quantity}</td><td>{escape(unit)}</td>' + "".join(f'<td class="n">{n}</td>' for n in numbers)
    return f"<tr>{cells}</tr>\n"


def _quantity(row: Row, say: Say) -> tuple[str, str]:
    found = priced_quantity(row)
    return ("", "") if found is None else (f"{found[0] // 1000:,}.{found[0] % 1000:03d}", unit_word(found[1], say))


def _end(statement: Row, head: Head, say: Say) -> str:
    signs = "".join(f"<div>{escape(say(code))}</div>" for code in ("report.word.sign_finance", "report.word.sign_department"))
    assert statement["fen"] * MICRO_PER_FEN - statement["billed_micro_yuan"] == statement["rounding_micro_yuan"]
    seals = [f"{say('report.word.seal_statement')}: {statement['seal']}"]
    if head.period["state"] == "closed":
        seals.append(f"{say('report.word.seal_month')}: {head.period['seal']}")
    lines = "<br>\n".join(escape(s) for s in seals)
    return f'<div class="sign">{signs}</div>\n<p class="seal">{lines}</p>\n'


def _day(at_s: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_s, zone).strftime("%Y-%m-%d %H:%M")
