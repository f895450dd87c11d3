"""Copying plain data between this kernel and the remote one."""
