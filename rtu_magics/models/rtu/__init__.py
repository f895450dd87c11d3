"""RTU messages: one module per channel, and one parser per direction."""
