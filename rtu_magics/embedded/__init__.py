"""The server on this machine: found or started, and kept by a lease.

Kernels on one machine share the server of a directory. Who finds none starts one: a child process
in a process group of its own, so that an interrupt of this kernel does not reach it. A lock settles
who starts it; the operating system drops the lock when its holder dies, so a stale one cannot be.
Everyone who uses the server holds a lease, and it ends shortly after the last lease.

Standard library only, but for Jupyter's data directory: these modules know the server by its
command line and three REST calls.
"""

from .afar import hand_token, open_copies
from .leases import Lease
from .neighbours import Neighbour, Offer, ask, serving
from .registry import STATE_DIR, EmbeddedServer, find_server
from .start import Afar, find_or_start, open_server

__all__ = [
    "STATE_DIR",
    "Afar",
    "EmbeddedServer",
    "Lease",
    "Neighbour",
    "Offer",
    "ask",
    "find_or_start",
    "find_server",
    "hand_token",
    "open_copies",
    "open_server",
    "serving",
]
