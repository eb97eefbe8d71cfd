"""Python's search for dead cycles, put off while a group of tickets is decided, or a statement rated, and written."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def put_off() -> Iterator[None]:
    """Search for no dead cycles in this process until the end of the block, which must not take long.

    Tens of thousands of values are made that are needed to its end and are gone with it: looking through them again and again
    finds nothing, and through all else of the process as well it took longer than the statement of a department. What others
    leave behind meanwhile is found by the next search.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
