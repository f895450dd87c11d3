"""From what a user names to an open connection."""
