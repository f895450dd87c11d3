collect_ignore = ["peer_script.py", "two_clients_script.py"]  # for the peer's environment, not ours
