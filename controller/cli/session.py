"""One run of the command line: who to talk to, in which language, how to print. Made by the root command, kept by the context."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    from controller.cli.client import Client
    from controller.cli.contexts import Target
    from controller.cli.output import Out


class Format(StrEnum):
    """How answers are printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True)
class Session:
    """See the module."""

    language: str
    format: Format
    server: str
    token_file: str
    context: str
    is_debug: bool

    @cached_property
    def out(self) -> "Out":
        """Standard output."""
        from controller.cli.output import Out

        return Out(self.language, self.format, self.zone)

    @cached_property
    def target(self) -> "Target":
        """The service and the token to use."""
        from controller.cli.contexts import find_target

        return find_target(server=self.server, token_file=self.token_file, context=self.context)

    @cached_property
    def api(self) -> "Client":
        """The service."""
        from controller.cli.client import Client

        return Client(self.target, self.language)

    def close(self) -> None:
        """Close the connection to the service, if one was opened."""
        if "api" in self.__dict__:
            self.api.close()

    @cached_property
    def zone(self) -> ZoneInfo:
        """The platform's time zone, as the context knows it."""
        from controller.cli.contexts import find_zone

        return find_zone(self.context)


def session_of(ctx: typer.Context) -> Session:
    """Return the session of a command."""
    session = ctx.find_object(Session)
    assert session is not None, "the root command makes it"
    return session
