"""What runs: whose turn it is, one cell after the other, and what became of each execution."""
