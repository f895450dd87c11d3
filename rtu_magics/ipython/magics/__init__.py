"""The magics, a module for each group."""
