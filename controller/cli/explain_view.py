"""A placement or a refusal in plain words: filters, score, near misses, and what would fit instead."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.cli.output import Column, Out
from inventory.domain.placement import miss_text_code

Json = Mapping[str, Any]


def show_explanation(out: Out, body: Json) -> None:
    """Print one explanation."""
    if body["is_placed"]:
        (first, *others) = places_of(body).items()
        out.line("cli.explain.placed", members=", ".join(first[1]), host=first[0], total=body["hosts_total"])
        for host, names in others:
            out.line("cli.explain.elsewhere", members=", ".join(names), host=host, first=body["member"])
    else:
        members = ", ".join(body.get("members") or [body["member"]])
        out.line("cli.explain.refused", members=members, total=body["hosts_total"])
    _show_filters(out, body)
    if body["is_placed"]:
        _show_scores(out, body)
        if len(body.get("members") or []) > 1 and body.get("left_after"):
            out.line("cli.explain.of_first", member=body["member"])
    for host, name, params in body.get("misses", []):
        out.console().print("  - " + out.say(miss_text_code(name, params), host=host, **params), markup=False)
    if body.get("suggestions"):
        out.line("cli.explain.suggestions")
        for code, params in body["suggestions"]:
            out.console().print("  * " + out.say(code, **params), markup=False)
    if body.get("policy"):
        out.line("cli.explain.policy", policy=body["policy"])


def places_of(body: Json) -> dict[str, Sequence[str]]:
    """Return the machines an explanation of a placement speaks of by the host they went to; first the one it shows."""
    others: dict[str, Sequence[str]] = dict(body.get("elsewhere", []))
    gone = {name for names in others.values() for name in names}
    there = [name for name in body.get("members") or [body["member"]] if name not in gone]
    return {body["winner"]["host"]: there, **others}


def show_long(out: Out, pages: Iterable[Json]) -> None:
    """Print one explanation with every host: as it is stored, then in what it is not so any more, then host by host."""
    for number, page in enumerate(pages):
        if number == 0:
            show_explanation(out, {**page["explanation"]["body"], "misses": []})
            out.heading("cli.explain.long")
            out.line("cli.explain.differs" if page["mismatches"] else "cli.explain.agrees")
            for mismatch in page["mismatches"]:
                out.console().print("  ! " + _mismatch(out, mismatch), markup=False)
        for verdict in page["items"]:
            out.console().print("  " + _verdict(out, verdict), markup=False)


def _mismatch(out: Out, mismatch: Json) -> str:
    what = out.say(f"cli.explain.mismatch.{mismatch['what']}")
    name = out.say(f"placement.filter.{mismatch['name']}") if mismatch["name"] else ""
    numbers = {key: mismatch[key] or "-" for key in ("stored", "derived")}
    return out.say("cli.explain.mismatch", what=f"{what} {name}".strip(), **numbers)


def _verdict(out: Out, verdict: Json) -> str:
    """Return one host in a line: its score and what it is made of, or why it fell."""
    if verdict["filter"]:
        text = out.say(miss_text_code(verdict["filter"], verdict["params"]), host=verdict["host"], **verdict["params"])
        return f"- {text}"
    parts = ", ".join(f"{out.say(f'cli.weigher.{name}')} {value}" for name, value in verdict["parts"].items() if value)
    return "+ " + out.say(
        "cli.explain.scored", host=verdict["host"], score=verdict["score"], parts=parts, policy=verdict["policy"]
    )


def _show_filters(out: Out, body: Json) -> None:
    rows = []
    before = body["hosts_total"]
    for name, left in body.get("left_after", []):
        if before == 0:
            # Nothing was left to be judged by the rest.
            break
        rows.append({"filter": out.say(f"placement.filter.{name}"), "fell": before - left, "left": left})
        before = left
    if rows:
        out.rows(
            rows,
            [
                Column("cli.column.filter", "filter"),
                Column("cli.column.fell", "fell", is_number=True),
                Column("cli.column.left", "left", is_number=True),
            ],
        )


def _show_scores(out: Out, body: Json) -> None:
    ranked = [body["winner"], *body.get("runners_up", [])]
    names = sorted({name for candidate in ranked for name in candidate["parts"]})
    rows = [{"host": _host(c), "score": c["score"], **c["parts"]} for c in ranked]
    columns = [Column("cli.column.host", "host"), Column("cli.column.score", "score", is_number=True)]
    columns += [Column(f"cli.weigher.{name}", name, is_number=True) for name in names]
    out.rows(rows, columns)


def _host(candidate: Json) -> str:
    """Return a host, with the policy of its pool where that is another one."""
    return f"{candidate['host']} ({candidate['policy']})" if candidate.get("policy") else str(candidate["host"])
