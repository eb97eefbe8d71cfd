"""``events``: what happened to all tickets one may see, read once or followed."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from controller.cli.client import Refused
from controller.cli.commands import commands
from controller.cli.exit_codes import INTERRUPTED
from controller.cli.interrupting import interrupts_noted
from controller.cli.patience import Patience
from controller.cli.session import Session, session_of
from inventory.domain.errors import Unavailable

if TYPE_CHECKING:
    from controller.cli.output import Out

app = commands()
_POLL_S = 1.0
#: Transactions end in another order than they began: lines this old are looked for once more, and told once.
_OVERLAP_S = 30.0
#: How long a service that does not answer is waited for.
_AWAY_MAX_S = 900.0


@app.command()
def events(
    ctx: typer.Context,
    since: str = typer.Option("", "--since"),
    system: str = typer.Option("", "--system"),
    limit: int = typer.Option(1000, "--limit", min=1, max=100_000),
    follow: bool = typer.Option(False, "--follow", "-f"),
) -> None:
    """List lines as they happened, or go on telling them."""
    from controller.cli.moments import moment_s
    from controller.cli.output import Column

    session = session_of(ctx)
    since_s = moment_s(session, since) if since else 0
    if follow:
        _follow(session, since_s, system)
    out = session.out
    columns = [
        Column("cli.column.at", lambda r: out.moment(r["at_s"])),
        Column("cli.column.system", "system_name"),
        Column("cli.column.ticket", "ticket_id"),
        Column("cli.column.story", lambda r: _text(out, r)),
    ]
    found, has_more = session.api.first("/v1/events", limit, since_s=since_s, system=system)
    out.rows(found, columns, name="ticket_id", has_more=has_more)


def _follow(session: Session, since_s: float, system: str) -> NoReturn:
    """Tell what is new until interrupted; a service that is started anew meanwhile is waited for."""
    news = News(since_s or _now_s(session))
    patience = Patience(session.out.note, most_s=_AWAY_MAX_S)
    with interrupts_noted() as wish:
        while not wish.is_made():
            pause_s = _POLL_S
            try:
                for event in news.of(session.api.pages("/v1/events", limit=500, since_s=news.from_s, system=system)):
                    _tell(session.out, event)
                patience.answered()
            except (Refused, Unavailable) as error:
                pause_s = patience.pause_s(error)
            wish.wait(pause_s)
    raise typer.Exit(INTERRUPTED)


def _now_s(session: Session) -> float:
    """Return what the service's clock says: this machine's may be another, and lines would be missed."""
    session.api.get("/v1/events", limit=1)
    return session.api.answered_at_s or time.time()


def _tell(out: "Out", event: Mapping[str, Any]) -> None:
    """Print one line: a sentence for people, an object of its own for programs."""
    if out.is_table:
        out.console().print(f"{out.moment(event['at_s'])}  {event['system_name']}  {_text(out, event)}", markup=False)
    else:
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _text(out: "Out", event: Mapping[str, Any]) -> str:
    return str(event["text_en" if out.language == "en" else "text_zh"])


class News:
    """Tells lines apart that were told from those that were not, over readings that overlap."""

    def __init__(self, since_s: float) -> None:
        self._since_s = since_s
        self._newest_s = since_s
        self._told: dict[tuple[str, int], float] = {}

    @property
    def from_s(self) -> float:
        """Return from when on to read."""
        return max(self._since_s, self._newest_s - _OVERLAP_S)

    def of(self, lines: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield the lines that are new, and remember them for as long as they may be read again."""
        for line in lines:
            key = line["ticket_id"], line["seq"]
            if key not in self._told:
                self._told[key] = line["at_s"]
                self._newest_s = max(self._newest_s, line["at_s"])
                yield line
        self._told = {key: at_s for key, at_s in self._told.items() if at_s >= self.from_s}
