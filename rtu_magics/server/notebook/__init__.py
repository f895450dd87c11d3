"""One notebook's content: its chain of deltas, its one writer, its history."""
