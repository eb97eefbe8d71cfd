"""Whole numbers as people write them on the command line."""

#: Every number of so many digits fits the 64 bits that the service counts in.
_DIGITS_MAX = 18


def whole_number(text: str) -> int | None:
    """Return the number that a few ASCII digits are; None for anything else."""
    return int(text) if len(text) <= _DIGITS_MAX and text.isascii() and text.isdigit() else None
