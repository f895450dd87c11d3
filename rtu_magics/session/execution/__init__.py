"""An execution as this process follows it: its events, its outputs, its end."""
