"""One notebook's content: its chain of deltas, what may be added to it, who is in it."""
