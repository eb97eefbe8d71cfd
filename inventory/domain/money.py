"""Money: whole micro-yuan (millionths of a yuan), written as decimals only for people. Pure."""

MICRO_PER_YUAN = 1_000_000


def yuan(micro_yuan: int) -> str:
    """Return an amount as yuan with six decimals, for example ``12.340000``."""
    sign = "-" if micro_yuan < 0 else ""
    whole, rest = divmod(abs(micro_yuan), MICRO_PER_YUAN)
    return f"{sign}{whole}.{rest:06d}"


def rounded(numerator: int, denominator: int) -> int:
    """Return a quotient of non-negative integers, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)
