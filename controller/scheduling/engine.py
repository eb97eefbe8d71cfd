"""What an engine computes. Two do: ``plain`` (numpy alone) and ``compiled`` (numba, see ``loading``); they choose the same."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.scheduling import plain
from controller.scheduling.blocks import Hosts
from controller.scheduling.columns import Int32
from controller.scheduling.tables import Bounds, Classes, Closed, Pools, Rules, Stream

_Work = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Choosing and taking in one step, where an engine can: many choices without a word of Python between them."""

    #: Takes a machine of a live class on a host; False, and nothing is taken, where its pools need a closer look.
    put: Callable[[Hosts, Pools, Classes, Bounds, int, int, Int32], bool]
    #: Chooses and takes a host for one machine of a live class after the other; tells how many got one.
    fill: Callable[[Hosts, Pools, Classes, Bounds, Rules, Int32, int, Int32, Int32, Int32, _Work], int]
    #: Decides the orders of a stream from one on; tells the first it did not decide.
    run: Callable[[Hosts, Pools, Classes, Bounds, Rules, Stream, Int32, Closed, int, Int32, _Work], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What an engine computes; all answers are positions, -1 for none."""

    #: The best host of a class; writes the bounds of all blocks.
    scan: Callable[[Hosts, Classes, Bounds, int, Int32], int]
    #: The best host of a class whose bounds hold.
    pick: Callable[[Hosts, Classes, Bounds, int, Int32], int]
    #: The best host under the rules of a request.
    pick_ruled: Callable[[Hosts, Classes, Bounds, Rules, int, Int32, _Work], int]
    #: Takes a changed host into the bounds of all live classes.
    raise_bounds: Callable[[Hosts, Classes, Bounds, int], None]
    #: None: each choice is made, and taken, in Python.
    steps: Steps | None = None


PLAIN = Engine(scan=plain.scan, pick=plain.pick, pick_ruled=plain.pick_ruled, raise_bounds=plain.raise_bounds)
