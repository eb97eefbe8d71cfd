"""Pure values: no clock, no randomness, no I/O, no SQL."""
