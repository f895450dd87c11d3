"""The asynchronous client: `RTUClient` for one live notebook, `APIClient` for everything else."""

from .api import APIClient
from .callbacks import DeltaCallback
from .deltas import DeltaRequestCallbackManager
from .manager import RTUManager
from .rtu import RTUClient

__all__ = [
    "APIClient",
    "DeltaCallback",
    "DeltaRequestCallbackManager",
    "RTUClient",
    "RTUManager",
]
