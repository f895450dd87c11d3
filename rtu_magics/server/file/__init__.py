"""A notebook's file: what is decided about it, apart from the reading and writing."""
