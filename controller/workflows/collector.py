"""Python's search for dead cycles, put off while a group of tickets is decided and written. For whoever leads a group."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def put_off() -> Iterator[None]:
    """Search for no dead cycles in this process until the end of the block, which must not take long.

    A group makes tens of thousands of values that are needed to its end and are gone with it: looking through them again and
    again finds nothing. What others leave behind meanwhile is found by the next search.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
