"""Usage and its price: a pure function of the journal."""
