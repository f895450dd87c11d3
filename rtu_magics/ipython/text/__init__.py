"""Notebooks, histories and people as text. Pure."""
