"""The tree of commands, loaded when used, with every help text taken from the catalogue.

Function signatures carry types and defaults only. ``cli.help.<path>`` is what a command does, ``cli.param.<path>.<name>`` (or
``cli.param.<name>`` where several commands share it) what a parameter means.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from controller.cli.mistakes import Usage
from controller.texts import adoption, budgets, cli_help, cli_meter, costs, efficiency, mending, pools
from controller.texts.text import Text


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command of the first level lives."""

    #: Module with a Typer ``app``.
    module: str
    #: Panel of the help it is listed in.
    panel: str
    #: False: the command of this name inside ``app``; True: ``app`` itself, with commands below it.
    is_group: bool = False


_CLI = "controller.cli"
_SUBJECTS: Sequence[Any] = (cli_help, cli_meter, adoption, budgets, costs, efficiency, mending, pools)
TEXTS: Mapping[str, Text] = {code: text for subject in _SUBJECTS for code, text in subject.TEXTS.items()}
#: Commands that work on this machine, without the API; they stand above the wiring and are named here only by text.
_LOCAL = "controller.local"
#: In the order they are listed.
COMMANDS: Mapping[str, Entry] = {
    "check": Entry(f"{_CLI}.tickets", "tickets"),
    "plan": Entry(f"{_CLI}.tickets", "tickets"),
    "apply": Entry(f"{_CLI}.tickets", "tickets"),
    "release": Entry(f"{_CLI}.tickets", "tickets"),
    "status": Entry(f"{_CLI}.tickets", "tickets"),
    "events": Entry(f"{_CLI}.events", "tickets"),
    "approve": Entry(f"{_CLI}.decisions", "tickets"),
    "reject": Entry(f"{_CLI}.decisions", "tickets"),
    "cancel": Entry(f"{_CLI}.decisions", "tickets"),
    "retry": Entry(f"{_CLI}.decisions", "tickets"),
    "reservation": Entry(f"{_CLI}.reservation", "tickets", is_group=True),
    "get": Entry(f"{_CLI}.show", "look"),
    "describe": Entry(f"{_CLI}.show", "look"),
    "explain": Entry(f"{_CLI}.explain", "look"),
    "usage": Entry(f"{_CLI}.usage", "look"),
    "meter": Entry(f"{_CLI}.meter", "look", is_group=True),
    "start": Entry(f"{_CLI}.instances", "machines"),
    "stop": Entry(f"{_CLI}.instances", "machines"),
    "reboot": Entry(f"{_CLI}.instances", "machines"),
    "console": Entry(f"{_CLI}.instances", "machines"),
    "screen": Entry(f"{_CLI}.instances", "machines"),
    "import": Entry(f"{_CLI}.site", "platform"),
    "capacity": Entry(f"{_CLI}.capacity", "platform", is_group=True),
    "host": Entry(f"{_CLI}.host", "platform", is_group=True),
    "pool": Entry(f"{_CLI}.pool", "platform", is_group=True),
    "adopt": Entry(f"{_CLI}.adopt", "platform", is_group=True),
    "plan-moves": Entry(f"{_CLI}.plan_moves", "platform", is_group=True),
    "image": Entry(f"{_CLI}.image", "platform", is_group=True),
    "quota": Entry(f"{_CLI}.quota", "platform", is_group=True),
    "audit": Entry(f"{_CLI}.audit", "access", is_group=True),
    "token": Entry(f"{_CLI}.token", "access", is_group=True),
    "login": Entry(f"{_CLI}.login", "access"),
    "whoami": Entry(f"{_CLI}.login", "access"),
    "init": Entry(f"{_LOCAL}.init", "local"),
    "serve": Entry(f"{_LOCAL}.serve", "local"),
    "db": Entry(f"{_LOCAL}.db", "local", is_group=True),
    "doctor": Entry(f"{_LOCAL}.doctor", "local"),
    "simulate": Entry(f"{_LOCAL}.simulate", "local"),
    "schema": Entry(f"{_LOCAL}.info", "local"),
    "version": Entry(f"{_LOCAL}.info", "local"),
}
#: Steps of commands below a group that work on this machine: each module has a function ``run``.
LOCAL_STEPS: Mapping[str, str] = {
    "host prepare": f"{_LOCAL}.prepare",
    "meter demo": f"{_LOCAL}.meter_demo",
}


def local_step(name: str) -> Callable[..., None]:
    """Return what does a step on this machine. Only this module names what lies above the client, and only by text."""
    run: Callable[..., None] = import_module(LOCAL_STEPS[name]).run
    return run


def text_of(code: str, language: str) -> str:
    """Return a help text, empty where there is none."""
    text = TEXTS.get(code)
    if text is None:
        return ""
    return text.en if language == "en" else text.zh


class Root(TyperGroup):
    """The first level: names and help are known, modules are imported when a command is called."""

    #: Set once after the group is made.
    language: str = "zh-CN"

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return every name."""
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Load a command.

        Raises:
            Usage: ``cli.no_such_command``, with the nearest names.
        """
        command = load(cmd_name, self.language)
        if command is None:
            near = get_close_matches(cmd_name, COMMANDS) or list(COMMANDS)
            raise Usage("cli.no_such_command", written=cmd_name, near=", ".join(near))
        return command


def load(name: str, language: str) -> Any:
    """Return a command of the first level with its help, None where there is none."""
    entry = COMMANDS.get(name)
    if entry is None:
        return None
    command: Any = typer.main.get_command(import_module(entry.module).app)
    if not entry.is_group:
        command = command.commands[name]
    command.name = name
    localise(command, (name,), language)
    return command


def localise(command: Any, path: Sequence[str], language: str) -> None:
    """Put the catalogue's texts on a command, its parameters and everything below it."""
    dotted = ".".join(path)
    command.help = text_of(f"cli.help.{dotted}", language)
    command.short_help = None
    for parameter in command.params:
        own, shared = f"cli.param.{dotted}.{parameter.name}", f"cli.param.{parameter.name}"
        parameter.help = text_of(own, language) or text_of(shared, language)
    option = command.get_help_option(typer.Context(command, info_name=command.name))
    if option is not None:
        option.help = text_of("cli.param.help", language)
    for name, below in getattr(command, "commands", {}).items():
        localise(below, (*path, name), language)
