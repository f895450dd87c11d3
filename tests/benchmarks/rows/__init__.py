"""Groups of rows, one module each."""
