# For the peer's environment, not ours.
collect_ignore = ["guest_script.py", "late_script.py", "peer_script.py", "two_clients_script.py"]
