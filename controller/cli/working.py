"""A request that takes long: sent as any other, while a second thread asks how far it is and shows it on a terminal.

Nothing of the request itself depends on that: it has a connection of its own, a service that is away for a moment is looked at
again, any other refusal of a look is told and ends the looking, and the thread keeps nobody from leaving.
"""

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from controller.cli.client import LONG_S, Client, Refused
from controller.cli.failures import refusal_lines
from controller.cli.output import Shown
from controller.cli.patience import is_away
from controller.cli.session import Session
from inventory.domain.errors import AllotError

#: Between two looks; after one that failed twice as long each time, up to the longest.
_LOOK_S, _LONGEST_S = 0.3, 5.0
#: Longer than the service itself waits for its database.
_LOOK_TIMEOUT_S = 15.0
#: Looks in a row that find nothing until that is told: the request may be on its way, or another controller answers the looks.
_UNKNOWN_TOLD = 8
#: Longest the last look is waited for, so that it closes its connection.
_JOIN_S = 0.5


@contextmanager
def long_work(session: Session, code: str, **params: Any) -> Iterator[Client]:
    """Yield the client a long request is to be sent with; how far it is, is shown while the block waits for it."""
    with session.out.working(code, **params) as shown:
        # Where nobody sees it, nothing is noted either.
        headers = {"Allot-Work": secrets.token_hex(16)} if shown else {}
        api = session.api.beside(timeout_s=LONG_S, headers=headers)
        if shown is None:
            with closing(api):
                yield api
            return
        ended = threading.Event()
        looker = _Looker(session, headers["Allot-Work"], shown, ended)
        thread = threading.Thread(target=looker.look_on, name="progress", daemon=True)
        thread.start()
        try:
            with closing(api):
                yield api
        finally:
            ended.set()
        # Not reached where the block was left by force: who leaves waits for nobody.
        thread.join(_JOIN_S)


class _Looker:
    """Asks how far one request is, until it has its answer."""

    def __init__(self, session: Session, id_: str, shown: Shown, ended: threading.Event) -> None:
        self._api = session.api.beside(timeout_s=_LOOK_TIMEOUT_S)
        self._path = f"/v1/works/{id_}"
        self._out = session.out
        self._text = "text_en" if session.out.language == "en" else "text_zh"
        self._shown = shown
        self._ended = ended
        #: Looks in a row that found nothing.
        self._unknown_count = 0

    def look_on(self) -> None:
        """Look again and again, until the request has its answer or a look is refused for good."""
        pause_s = _LOOK_S
        try:
            while not self._ended.wait(pause_s):
                pause_s = _LOOK_S if self._look() else min(2 * pause_s, _LONGEST_S)
        except Refused as error:
            self._tell_end(refusal_lines(error.body, self._out.language, "")[0])
        except AllotError as error:
            self._tell_end(self._out.say(error.code, **error.params))
        except Exception as error:  # noqa: BLE001  the edge of a thread: nothing of the request depends on what is shown of it
            self._tell_end(f"{type(error).__name__}: {error}")
        finally:
            self._api.close()

    def _look(self) -> bool:
        """Look once; tells whether there was something to see.

        Raises:
            Refused, Unavailable: for a reason that does not pass by itself.
        """
        try:
            work = self._api.get(self._path)
        except (Refused, AllotError) as error:
            if isinstance(error, Refused) and error.code == "work.not_found":
                self._note_unknown()
            elif not is_away(error):
                raise
            return False
        self._unknown_count = 0
        self._show(work)
        return True

    def _note_unknown(self) -> None:
        self._unknown_count += 1
        if self._unknown_count == _UNKNOWN_TOLD and not self._ended.is_set():
            self._out.note("cli.say.work_unknown")

    def _tell_end(self, reason: str) -> None:
        # Why the request itself ended is told by its own answer.
        if not self._ended.is_set():
            self._out.note("cli.say.work_unseen", reason=reason)

    def _show(self, work: Mapping[str, Any]) -> None:
        # What the last word of a request was is nobody's business while its answer is on its way.
        if work["phase"] and not self._ended.is_set():
            self._shown(str(work[self._text]), int(work["done"]), work["total"])
