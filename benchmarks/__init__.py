"""Measurements behind docs/benchmarks.md: run from the root of a checkout, one module a question."""
