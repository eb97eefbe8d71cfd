"""The published figures: ``python -m tests.bench`` measures them and writes ``docs/benchmarks.md``."""
