"""What the API stands on, given once by ``wiring``, and what one call knows of itself."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Header, Request

from controller.identity.caller import Caller
from controller.workflows.long_form import LongForms
from controller.workflows.platform import Platform
from drivers.protocol import ComputeDriver, DriverContext
from inventory.domain.progress import Progress
from inventory.domain.resource import Resource
from inventory.importers.image_fetching import FetchOptions

#: (name of the driver, what it is told of the host) -> an open driver.
OpenDriver = Callable[[str, DriverContext], ComputeDriver]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The means of the API."""

    platform: Platform
    #: The current exposition, formatted beforehand: a scrape asks no driver and no database.
    metrics: Callable[[], bytes]
    #: ``instances`` and ``compatibility``, where they are offered.
    more_metrics: Mapping[str, Callable[[], bytes]]
    #: (instance, most bytes) -> the end of its serial log.
    console: Callable[[Resource, int], bytes]
    #: instance -> where its screen is seen, for a short time; who knows it sees the screen.
    screen: Callable[[Resource], str]
    drivers: OpenDriver
    #: Names of what is not ready yet; empty when the controller may take traffic.
    ready: Callable[[], list[str]]
    #: From where images may be fetched; None: from nowhere, paths only.
    fetch_options: FetchOptions | None
    #: Whether the machine itself may scrape without a token.
    is_metrics_open_to_loopback: bool
    #: The explanation that is told in its long form, page after page.
    long_forms: LongForms = field(default_factory=LongForms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authenticated call."""

    context: Context
    caller: Caller
    #: ``zh-CN`` or ``en``.
    language: str

    @property
    def platform(self) -> Platform:
        """The platform."""
        return self.context.platform

    def noted(self, work: str | None) -> AbstractContextManager[Progress]:
        """Note how far the block is, for this person, under the id the request came with; without one nobody looks."""
        return self.platform.works.noted(self.caller.user_name, work or "", self.platform.clock)


# ``async`` only to spare a thread: nothing here waits.
async def _call_of(request: Request) -> Call:
    call: Call = request.state.call
    return call


async def _context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


#: The header a long request brings the id in that it is looked at by, and what ids look like: nobody guesses one.
WORK_HEADER, WORK_ID = "Allot-Work", "^[0-9a-f]{32}$"
#: For handlers that may take long. The door has read it: it stands before answers that are remembered.
WorkId = Annotated[
    str | None,
    Header(
        alias=WORK_HEADER,
        json_schema_extra={"pattern": WORK_ID},
        description="128 random bits in hexadecimal digits, made by the caller; `GET /v1/works/{work}` then tells how far it is.",
    ),
]
#: For handlers behind a token.
TheCall = Annotated[Call, Depends(_call_of)]
#: For the public ones.
TheContext = Annotated[Context, Depends(_context_of)]
