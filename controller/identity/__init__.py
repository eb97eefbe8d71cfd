"""Who calls, what they may do, and the chain that remembers it."""
