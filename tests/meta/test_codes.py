"""Every code the program raises, stores or shows has its text, with every parameter the text speaks of; no text is unused.

The codes are read from the source (``tests.support.codes``), so that a new error without a text fails here and not in front
of a department.
"""

from string import Formatter

from controller.reconcile.outcomes import TOLD
from controller.texts.catalogue import all_texts
from controller.texts.text import Text
from controller.tickets.normal_form import Origin
from tests.support import codes

#: Calls whose code is not in the call, each with where it comes from.
_ELSEWHERE = {
    "controller/scheduling/decide.py: need": "a method of its own named refuse: no code is handed over",
    "controller/scheduling/decide.py: stuck.need": "the same method",
    "controller/tickets/language.py: code": "(code, parameters) returned by controller.tickets.secrets",
    "controller/workflows/moves/begin.py: reason": "returned by controller.scheduling.moves.check.why_not",
    "inventory/importers/shapes.py: reading.not_offered": "the subject's own code, given once to Reading",
    "inventory/importers/shapes.py: reading.unknown_field": "the subject's own code, given once to Reading",
}
#: Texts no line of the program names, each with its reason.
_UNNAMED = {f"plan.origin_{origin.value}": "shown by the value of controller.tickets.normal_form.Origin" for origin in Origin}
#: Codes of these subjects are only ever shown: whatever is written out must be there.
_SHOWN = ("cli.", "step.", "plan.", "placement.suggest.", "placement.miss.", "placement.filter.")


def fields(*sentences: str) -> set[str]:
    """Return the names in braces."""
    return {name for sentence in sentences for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def fields_of(text: Text) -> set[str]:
    return fields(text.zh, text.en, text.cure_zh, text.cure_en)


def test_codes_are_found_at_all() -> None:
    found = {use.code for use in codes.scan().uses}
    assert len(found) > 250
    expected = {
        "token.expired",
        "quota.exceeded",
        "placement.no_host_fits",
        "driver.storage_full",
        "state.disk_full",  # through a table
        "hold.stale_fence",  # in a constructor
        "document.several_documents",  # through a helper
        "site.ranges_overlap",  # through a method of another module
        "image.backing_file",  # through a loop
        "http.method_not_allowed",
    }
    assert expected <= found


def test_every_code_can_be_told_from_the_source() -> None:
    assert set(codes.scan().unresolved) == set(_ELSEWHERE)


def test_every_raised_code_has_a_text() -> None:
    texts = all_texts()
    assert [f"{use.code} ({use.where})" for use in codes.scan().uses if use.code not in texts] == []


def test_every_text_that_is_raised_gets_the_parameters_it_speaks_of() -> None:
    texts, told = all_texts(), 0
    silent = []
    for use in (*codes.scan().uses, *codes.told()):
        if use.params is None or "*" in use.params:
            continue
        told += 1
        missing = fields_of(texts[use.code]) - use.params if use.code in texts else set()
        if missing:
            silent.append(f"{use.code} at {use.where} does not give {sorted(missing)}")
    assert silent == []
    assert told > 250, "too few calls could be judged"


def test_every_line_of_a_tickets_story_has_a_text_and_its_parameters() -> None:
    texts = all_texts()
    assert {use.code for use in codes.told()} >= {"step.accepted", "step.ticket_done"}
    assert [use for use in codes.told() if use.code not in texts] == []
    for step in TOLD:
        assert fields_of(texts[f"step.{step}"]) <= {"name", "took_s"}
        assert fields_of(texts[f"step.{step}.many"]) <= {"count"}


def test_every_code_that_is_shown_has_a_text() -> None:
    texts = all_texts()
    known_beginnings = {beginning for beginning, _ in codes.composed()}
    unknown = [
        f"{text} ({where})"
        for text, where in codes.literals()
        if text.startswith(_SHOWN) and codes.CODE.fullmatch(text) and text not in texts and text not in known_beginnings
    ]
    assert unknown == []


def test_every_composed_code_has_at_least_one_text() -> None:
    texts = all_texts()
    beginnings = {(b, w) for b, w in codes.composed() if b.startswith(_SHOWN)}
    assert len(beginnings) > 8
    assert [(b, w) for b, w in sorted(beginnings) if not any(code.startswith(b) for code in texts)] == []


def test_no_text_is_unused() -> None:
    named = {text for text, _ in codes.literals()}
    beginnings = tuple({b for b, _ in codes.composed()})
    unused = {code for code in all_texts() if code not in named and not code.startswith(beginnings)}
    assert sorted(unused - _UNNAMED.keys()) == []
    assert sorted(_UNNAMED.keys() - all_texts().keys()) == []
