"""A finding in sentences: what was found of a machine, in both languages, from what is stored of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from controller.texts import catalogue

Json = Mapping[str, Any]
#: What is told before the rest.
_FIRST = ("name", "host", "kind", "what")
#: What is said by a word of the catalogue, where it has one.
_WORDS = ("phase", "observed", "state", "admin_state")


def finding(row: Json, language: str, zone: tzinfo) -> dict[str, Any]:
    """Return a finding as it is sent."""
    zh, en = (sentence(row["detail"], spoken, zone) for spoken in catalogue.LANGUAGES)
    return {**row, "text": en if language == "en" else zh, "text_zh": zh, "text_en": en}


def sentence(detail: Json, language: str, zone: tzinfo) -> str:
    """Return what a finding tells."""
    comma = "; " if language == "en" else "；"
    ordered = sorted(detail.items(), key=lambda part: (_FIRST.index(part[0]) if part[0] in _FIRST else len(_FIRST), part[0]))
    return comma.join(text for key, value in ordered for text in _parts(key, value, language, zone))


def _parts(key: str, value: Any, language: str, zone: tzinfo) -> Sequence[str]:
    def say(code: str, **params: Any) -> str:
        return catalogue.say(f"finding.{code}", params, language)

    if key == "cards":
        return [_card(address, card, language) for address, card in value.items()]
    if key == "stored":
        return [say("stored_none") if value == "none" else say("stored", value=sentence(value, language, zone))]
    if key in ("what", "kind"):
        return [say(f"{key}_{value}")]
    return [say(key, value=_value(key, value, language, zone))] if value not in ("", None, {}) else []


def _value(key: str, value: Any, language: str, zone: tzinfo) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {amount}" for name, amount in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(value)
    if key in ("since_s", "until_s"):
        return datetime.fromtimestamp(value, zone).strftime("%Y-%m-%d %H:%M:%S")
    word = catalogue.say(f"cli.word.{value}", {}, language) if key in _WORDS else ""
    return str(value) if word.startswith("cli.word.") or not word else word


def _card(address: str, card: Json | None, language: str) -> str:
    if card is None:
        return catalogue.say("finding.card_missing", {"address": address}, language)
    code = "finding.card_elsewhere" if card["filtered"] else "finding.card_unfiltered"
    return catalogue.say(code, {"address": address, **card}, language)
