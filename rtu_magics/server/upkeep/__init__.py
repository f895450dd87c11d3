"""Looking after all notebooks that are open: what they take, who is there, what may go."""
