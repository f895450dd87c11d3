"""The mirror: a remote notebook, live, below a cell."""
