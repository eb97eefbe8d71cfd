"""Limits in the tree of departments and projects, held in the transaction that promises capacity."""
