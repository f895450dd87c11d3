"""A room that stands on a live document of JupyterLab: what the page does, and the page sees."""
