"""How the controller takes memory from the system, and how it gives it back."""

import ctypes
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: mallopt(3), values of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
#: glibc gives each thread that finds its arena busy another one, up to 8 a core, and none gives its free pages back: dozens
#: of short looks at hosts held 40 MB that way. Python's own lock lets them take turns anyway.
_ARENAS_MOST = 2
#: What glibc begins with. Setting it keeps glibc from raising it to 32 MiB after the first large page of answers.
_THRESHOLD_BYTES = 128 * 1024
#: Pages that are free in the middle of an arena stay with the process until it is told: 40 MB after a start over 20,000
#: machines. Going through both arenas takes 1 to 9 ms.
_GIVE_BACK_EVERY_S = 30.0
#: A group of tickets makes tens of thousands of values that live for milliseconds: looked through now and then, not every 700.
_COLLECT_FROM = (10_000, 10, 10)


def spare_what_stays() -> None:
    """Have the search for dead cycles leave out what is there now: modules and tables stay for good.

    Looking through all of them again and again was a fifth of the time of a large commit.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_FROM)
    # ``lean_start`` switched it off.
    gc.enable()


def keep_small() -> bool:
    """Have free memory returned to the system; return whether the C library knows how (glibc does, musl needs no telling)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = {_M_ARENA_MAX: _ARENAS_MOST, _M_TRIM_THRESHOLD: _THRESHOLD_BYTES, _M_MMAP_THRESHOLD: _THRESHOLD_BYTES}
    return all(mallopt(option, value) == 1 for option, value in wanted.items())


@contextmanager
def giving_back(every_s: float = _GIVE_BACK_EVERY_S) -> Iterator[None]:
    """Return free pages to the system every now and then for as long as the block runs (malloc_trim(3), glibc only)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        yield
        return
    ended = threading.Event()

    def go() -> None:
        while not ended.wait(every_s):
            trim(0)

    thread = threading.Thread(target=go, name="giving-back", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
