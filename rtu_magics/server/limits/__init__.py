"""What one person, one address and one notebook may take of a server."""
