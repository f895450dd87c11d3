"""The server as a process of its own: started once for a directory, found, kept, ended."""
