"""Plans that move machines: computed, stored, begun step by step, and ended by what was seen."""
