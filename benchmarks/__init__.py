"""Measurements behind docs/benchmarks.md: run from the root of a checkout, one module a question."""

STYLE_WEIGHT = 3.0  # of J, which is content + STYLE_WEIGHT * style
