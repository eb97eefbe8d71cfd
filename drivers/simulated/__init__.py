"""The fake back end: thousands of hosts in memory, a virtual clock, scripted and seeded faults."""
