"""The pages of ``--help``, laid out here: at once, in both languages, and with the width Chinese characters really have.

Typer's own pages load a Markdown and a syntax-highlighting library first, which takes longer than a whole command.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from unicodedata import east_asian_width

import typer

from controller.cli.lazy import COMMANDS, load, text_of

_WIDTH_MAX = 110
_INDENT = 2
_GAP = 2
#: Longer names stand on a line of their own.
_LEFT_MAX = 34
#: Characters of an option with its choices that still fit into a line of 80.
_CHOICES_MOST = 76


def wanted_path(arguments: Sequence[str], with_value: Iterable[str]) -> list[str] | None:
    """Return the words of the command that help is asked for, None where it is not asked for."""
    before_end = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    if "--help" not in before_end:
        return None
    words: list[str] = []
    skip = False
    for argument in before_end:
        if skip:
            skip = False
        elif argument.startswith("-"):
            skip = argument in with_value
        else:
            words.append(argument)
    return words


def page(root: Any, words: Sequence[str], language: str) -> str:
    """Return the page of a command; words that name no command below it are its arguments."""
    command, path = root, ["allot"]
    context = typer.Context(root, info_name="allot")
    for word in words:
        below = load(word, language) if command is root else getattr(command, "commands", {}).get(word)
        if below is None:
            break
        command, path = below, [*path, word]
        context = typer.Context(below, info_name=word, parent=context)
    sections = [
        *_usage(command, context, language),
        *_parameters(command, context, language),
        *_below(root, command, path, language),
    ]
    if command is root:
        sections.append(_wrapped(text_of("cli.epilog", language), _width()))
    else:
        sections.append(_wrapped(text_of("cli.panel.common", language), _width()))
    return "\n\n".join(sections) + "\n"


def _usage(command: Any, context: typer.Context, language: str) -> Iterator[str]:
    yield f"{text_of('cli.panel.usage', language)} {context.command_path} {usage_of(command)}"
    yield _wrapped(command.help, _width())


def usage_of(command: Any) -> str:
    """Return what follows the name of a command in its usage line."""
    words = ["[OPTIONS]"]
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = str(parameter.name).upper()
            words.append(name if parameter.required else f"[{name}]")
    if hasattr(command, "commands"):
        words.append("COMMAND …")
    return " ".join(words)


def _parameters(command: Any, context: typer.Context, language: str) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.get_params(context) if p.param_type_name == "option"]
    if arguments:
        rows = [(str(p.name).upper(), p.help or "") for p in arguments]
        yield _section(text_of("cli.panel.arguments", language), rows)
    rows = [(_option(p, context), _about(p, language)) for p in options]
    yield _section(text_of("cli.panel.options", language), rows)


def _option(option: Any, context: typer.Context) -> str:
    names = ", ".join(sorted([*option.opts, *option.secondary_opts], key=len))
    if option.is_flag:
        return names
    # Typer writes choices as ``<a|b>``, and the bare type of anything else: the option's own name says more.
    kind = option.display_type(context).strip("<>")
    # Choices that do not fit into a line are named by the option's help.
    fits = "|" in kind and len(names) + len(kind) < _CHOICES_MOST
    return f"{names} {kind if fits else str(option.name).strip('_').upper()}"


def _about(option: Any, language: str) -> str:
    parts = [option.help or ""]
    if option.required:
        parts.append(text_of("cli.panel.required", language))
    default = getattr(option.default, "value", option.default)
    if not option.is_flag and default not in (None, "", [], ()) and isinstance(default, str | int):
        parts.append(text_of("cli.panel.default", language).format(default))
    if option.envvar:
        parts.append(f"[{option.envvar}]")
    return " ".join(parts)


def _below(root: Any, command: Any, path: Sequence[str], language: str) -> Iterator[str]:
    if command is root:
        panels: Mapping[str, list[str]] = {}
        for name, entry in COMMANDS.items():
            panels = {**panels, entry.panel: [*panels.get(entry.panel, []), name]}
        for panel, names in panels.items():
            yield _section(text_of(f"cli.panel.{panel}", language), [(n, text_of(f"cli.help.{n}", language)) for n in names])
    elif getattr(command, "commands", None):
        dotted = ".".join(path[1:])
        rows = [(name, text_of(f"cli.help.{dotted}.{name}", language)) for name in command.commands]
        yield _section(text_of("cli.panel.commands", language), rows)


def _section(title: str, rows: Sequence[tuple[str, str]]) -> str:
    left = min(_LEFT_MAX, max((_cells(name) for name, _ in rows), default=0))
    margin = _INDENT + left + _GAP
    lines = [_bold(title)]
    for name, text in rows:
        body = _wrapped(text, max(20, _width() - margin)).split("\n")
        head = " " * _INDENT + name
        if _cells(name) > left:
            lines.append(head)
            head = ""
        lines.append((head + " " * (margin - _cells(head)) + body[0]).rstrip())
        lines += [" " * margin + rest for rest in body[1:]]
    return "\n".join(lines)


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text


def _width() -> int:
    return min(_WIDTH_MAX, shutil.get_terminal_size().columns)


def _cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _wrapped(text: str, width: int) -> str:
    """Break a text into lines: between words, and between any two Chinese characters."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and _cells(line) + _cells(piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece.lstrip() if not line else piece
    return "\n".join([*lines, line.rstrip()])


#: No line begins with one of these.
_CLOSING = "，。；：、）！？”’》…"


def _pieces(text: str) -> Iterator[str]:
    piece = ""
    for char in text:
        is_wide = east_asian_width(char) in "WF"
        if char in _CLOSING:
            piece += char
        elif is_wide or piece.endswith(" ") or (piece and east_asian_width(piece[-1]) in "WF"):
            if piece:
                yield piece
            piece = char
        else:
            piece += char
    if piece:
        yield piece
