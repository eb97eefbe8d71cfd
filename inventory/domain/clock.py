"""The clock as an argument: real, or virtual in simulations and tests."""

from collections.abc import Callable

#: UTC epoch seconds. Everything that reads time takes one of these.
Clock = Callable[[], float]
