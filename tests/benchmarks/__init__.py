"""Benchmarks: both sides in one run, ratios of medians. ``python -m tests.benchmarks --help``."""
