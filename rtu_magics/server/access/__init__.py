"""Who somebody is, where they come from, and what they may do."""
