"""The history slider."""
