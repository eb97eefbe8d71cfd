"""The address plan: which block a segment gets, which address a machine gets. Network engines are drivers."""
