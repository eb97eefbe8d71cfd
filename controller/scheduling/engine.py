"""What an engine computes. Two do: ``plain`` (numpy alone) and ``compiled`` (numba, see ``loading``); they choose the same."""

from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from controller.scheduling import plain
from controller.scheduling.blocks import Hosts
from controller.scheduling.columns import Int32
from controller.scheduling.tables import Bounds, Classes, Rules


class Engine(Protocol):
    """What an engine computes; all answers are positions, -1 for none."""

    def scan(self, hosts: Hosts, classes: Classes, bounds: Bounds, slot: int, buffer: Int32, /) -> int:
        """Return the best host of a class and write the bounds of all blocks."""

    def pick(self, hosts: Hosts, classes: Classes, bounds: Bounds, slot: int, buffer: Int32, /) -> int:
        """Return the best host of a class whose bounds hold."""

    def pick_ruled(
        self, hosts: Hosts, classes: Classes, bounds: Bounds, rules: Rules, slot: int, buffer: Int32, work: NDArray[np.uint8], /
    ) -> int:
        """Return the best host under the rules of a request."""

    def raise_bounds(self, hosts: Hosts, classes: Classes, bounds: Bounds, position: int, /) -> None:
        """Take a changed host into the bounds of all live classes."""


PLAIN = cast(Engine, plain)
