"""From any error to what the user reads and the exit code: code, sentence, place, cure; never a traceback."""

import errno
import secrets
import ssl
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import typer.exceptions

from controller.cli.client import Refused
from controller.cli.exit_codes import REFUSED, TRY_AGAIN, USAGE
from controller.cli.help_page import usage_of
from controller.cli.language import say
from controller.cli.mistakes import Usage, WithFile
from controller.cli.wrong_usage import usage_problem
from controller.texts import catalogue
from inventory.domain.errors import AllotError, Problem, Unavailable


def report(error: Exception, language: str, *, is_debug: bool) -> int:
    """Print an error on standard error and return the exit code."""
    if is_debug:
        traceback.print_exception(error, file=sys.stderr)
    file = ""
    if isinstance(error, WithFile):
        file, error = error.file, error.error
    if isinstance(error, typer.exceptions.TyperException):
        return _usage(error, language)
    if isinstance(error, Refused):
        _print(refusal_lines(error.body, language, file))
        return TRY_AGAIN if error.may_succeed_later else REFUSED
    if isinstance(error, AllotError):
        _print(_error_lines(error, language, file))
        if isinstance(error, Usage):
            return USAGE
        return TRY_AGAIN if isinstance(error, Unavailable) else REFUSED
    problem = getattr(error, "problem", None)
    if isinstance(problem, Problem):
        _print(_problem_lines(problem, language, file))
        return TRY_AGAIN if hasattr(error, "delay_s") else REFUSED
    return _bug(error, language)


def _usage(error: typer.exceptions.TyperException, language: str) -> int:
    context = getattr(error, "ctx", None)
    if context is not None:
        _print([f"{say('cli.panel.usage', language)} {context.command_path} {usage_of(context.command)}"])
    _print(_problem_lines(usage_problem(error), language, ""))
    return USAGE


def _bug(error: Exception, language: str) -> int:
    incident = f"cli_{secrets.token_hex(4)}"
    params = {"incident": incident, "kind": type(error).__name__, "reason": str(error)[:300]}
    _print(_problem_lines(Problem("cli.unexpected", params), language, ""))
    return REFUSED


def _error_lines(error: AllotError, language: str, file: str) -> list[str]:
    lines: list[str] = []
    # Where the error is its first problem, that is told with its place below.
    if error.code not in [p.code for p in error.problems]:
        lines += _problem_lines(Problem(error.code, error.params), language, "")
    for problem in error.problems:
        told = replace(problem, params=_in_words(problem.params, error.__cause__, language))
        lines += _problem_lines(told, language, file)
    return lines


def _in_words(params: Mapping[str, Any], cause: BaseException | None, language: str) -> Mapping[str, Any]:
    """Return the parameters of a text; why the operating system refused something is said in ``language``."""
    # An error of TLS has a number too, of another kind.
    number = cause.errno if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) else None
    code = f"cli.errno.{errno.errorcode.get(number, '') if number else ''}".lower()
    return {**params, "reason": say(code, language)} if "reason" in params and code in catalogue.all_texts() else params


def _problem_lines(problem: Problem, language: str, file: str) -> Iterable[str]:
    where = problem.where
    return _lines(
        code=problem.code,
        sentence=catalogue.say(problem.code, problem.params, language),
        cure=catalogue.cure(problem.code, problem.params, language),
        place=place_of(file, where.line if where else None, where.column if where else None),
        language=language,
    )


def refusal_lines(body: Mapping[str, Any], language: str, file: str) -> list[str]:
    """Return the lines of a problem answer of the API."""
    problems = body.get("problems") or []
    lines: list[str] = []
    if body.get("code") not in [p.get("code") for p in problems]:
        lines += _body_lines(body, language, file)
    for problem in problems:
        lines += _body_lines(problem, language, file)
    for over in body.get("overruns") or []:
        lines.append("  " + say("cli.overrun", language, **over))
    if body.get("incident"):
        lines.append("  " + say("cli.incident", language, incident=body["incident"]))
    return lines


def _body_lines(problem: Mapping[str, Any], language: str, file: str) -> Iterable[str]:
    mine = "en" if language == "en" else "zh"
    code = str(problem.get("code", ""))
    params = {**problem, **(problem.get("params") or {})}
    return _lines(
        code=code,
        # What an old service sends without both languages is looked up here.
        sentence=str(problem.get(f"detail_{mine}") or catalogue.say(code, params, language)),
        cure=str(problem.get(f"cure_{mine}") or catalogue.cure(code, params, language)),
        place=place_of(file, problem.get("line"), problem.get("column")),
        language=language,
    )


def place_of(file: str, line: int | None, column: int | None) -> str:
    """Return ``file:line:column`` as far as it is known."""
    if not line:
        return ""
    return ":".join(str(part) for part in (file, line, column) if part)


def _lines(*, code: str, sentence: str, cure: str, place: str, language: str) -> Iterable[str]:
    colon = ": " if language == "en" else "："
    yield f"{place}{' ' if place else ''}{code}{colon}{sentence}"
    if cure:
        yield "  " + say("cli.cure", language, cure=cure)


def _print(lines: Iterable[str]) -> None:
    sys.stdout.flush()
    for line in lines:
        sys.stderr.write(f"{line}\n")
