"""The verbs of a session, each group a module."""
