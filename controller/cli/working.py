"""A request that takes long: sent as any other, while a second thread asks how far it is and shows it on a terminal.

Nothing of the request itself depends on that: it has a connection of its own, a look that fails is left out, and the thread
keeps nobody from leaving.
"""

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from controller.cli.client import LONG_S, Client
from controller.cli.output import Shown
from controller.cli.session import Session

#: Between two looks; after one that failed twice as long each time, up to the longest.
_LOOK_S, _LONGEST_S = 0.3, 5.0
#: Longer than the service itself waits for its database.
_LOOK_TIMEOUT_S = 15.0
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
        self._text = "text_en" if session.out.language == "en" else "text_zh"
        self._shown = shown
        self._ended = ended

    def look_on(self) -> None:
        """Look again and again."""
        pause_s = _LOOK_S
        while not self._ended.wait(pause_s):
            try:
                self._show(self._api.get(self._path))
                pause_s = _LOOK_S
            except Exception:  # noqa: BLE001  the edge of a thread: what it is for is only shown, and the request goes on
                # Not there yet, or another controller answered that knows nothing of it, or none did.
                pause_s = min(2 * pause_s, _LONGEST_S)
        self._api.close()

    def _show(self, work: Mapping[str, Any]) -> None:
        # What the last word of a request was is nobody's business while its answer is on its way.
        if work["phase"] and not self._ended.is_set():
            self._shown(str(work[self._text]), int(work["done"]), work["total"])
