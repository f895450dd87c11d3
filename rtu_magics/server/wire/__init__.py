"""What goes to connections: messages framed once, each connection's queue, signed links."""
