collect_ignore = ["peer_script.py"]  # runs in the peer's environment, not here
