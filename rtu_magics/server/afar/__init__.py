"""Notebooks that live on another Jupyter Server, which has live documents and not our extension."""
