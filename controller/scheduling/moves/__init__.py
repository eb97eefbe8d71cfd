"""Plans that move machines, as pure functions: drain, rebalance, repair, consolidate."""
