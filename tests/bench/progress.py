"""What a long measurement is at, told on the error stream: the figures alone go to the other."""

import sys
import time

_STARTED = time.monotonic()


def say(doing: str) -> None:
    """Tell what is done now."""
    print(f"  {time.monotonic() - _STARTED:5.0f} s  {doing}", file=sys.stderr, flush=True)
