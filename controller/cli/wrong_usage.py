"""What Typer found wrong with a call, as a code with values: its own sentences are in English only."""

from collections.abc import Mapping
from enum import Enum, EnumType
from typing import Any

import typer.exceptions

from inventory.domain.errors import Problem

#: Kinds of values that do not fit, as pydantic names them.
_VALUES = {
    "int_parsing": "cli.value_not_number",
    "int_parsing_size": "cli.value_not_number",
    "float_parsing": "cli.value_not_number",
    "greater_than_equal": "cli.value_too_small",
    "less_than_equal": "cli.value_too_big",
}
#: More of what was written tells nobody more.
_WRITTEN_MAX = 60


def usage_problem(error: typer.exceptions.TyperException) -> Problem:
    """Return what is wrong, whatever Typer says of it."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "allot"
    kind = type(error).__name__
    if kind == "NoSuchOption":
        return Problem("cli.no_such_option", {"option": getattr(error, "option_name", ""), "command": command})
    if kind == "MissingParameter":
        return Problem("cli.missing_parameter", {"parameter": _name_of(error), "command": command})
    if kind == "BadOptionUsage":
        return Problem("cli.option_value", {"option": getattr(error, "option_name", ""), "command": command})
    if kind == "BadParameter":
        return _value(error, command)
    return _arguments(context, command)


def _name_of(error: Exception) -> str:
    parameter: Any = getattr(error, "param", None)
    if parameter is None:
        return ""
    written = max(map(str, parameter.opts), key=len)
    return written if written.startswith("-") else str(parameter.metavar or parameter.name).upper()


def _value(error: Exception, command: str) -> Problem:
    known = {"parameter": _name_of(error), "command": command}
    found: list[Any] = getattr(error.__cause__, "errors", list)()
    if not found:
        return Problem("cli.value_unfit", known)
    first = found[0]
    known["written"] = str(first.get("input", ""))[:_WRITTEN_MAX]
    choices = _choices(getattr(error, "param", None))
    if choices:
        return Problem("cli.value_not_a_choice", {**known, "choices": ", ".join(choices)})
    limits = first.get("ctx", {})
    values = {**known, "least": limits.get("ge"), "most": limits.get("le")}
    return Problem(_VALUES.get(first["type"], "cli.value_unfit"), values)


def _choices(parameter: Any) -> list[str]:
    """Return what may be written, where it is one of a few words."""
    annotation: Any = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    members: Mapping[str, Enum] = annotation.__members__ if isinstance(annotation, EnumType) else {}
    return [str(choice.value) for choice in members.values()]


def _arguments(context: Any, command: str) -> Problem:
    """Return the problem of a call with a word too many; in a group of commands, of one that is not there."""
    if context is None or not hasattr(context.command, "list_commands"):
        return Problem("cli.too_many_arguments", {"command": command})
    return Problem("cli.command_missing", {"command": command, "known": ", ".join(context.command.list_commands(context))})
