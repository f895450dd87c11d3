"""The live status of a session."""
