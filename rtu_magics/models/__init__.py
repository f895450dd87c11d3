"""The data of the RTU protocol: notebooks, deltas, states, outputs, people and messages.

Everything public stands here; the modules below are how it is sorted.
"""

from . import base, deltas, history, kernels, notebook, outputs, people, resources, runs
from .base import *  # noqa: F403  each module's __all__ is its public part
from .deltas import *  # noqa: F403
from .history import *  # noqa: F403
from .kernels import *  # noqa: F403
from .notebook import *  # noqa: F403
from .outputs import *  # noqa: F403
from .people import *  # noqa: F403
from .resources import *  # noqa: F403
from .rtu import base as rtu_base
from .rtu import errors as rtu_errors
from .rtu import files as rtu_files
from .rtu import kernels as rtu_kernels
from .rtu import parse as rtu_parse
from .rtu import runs as rtu_runs
from .rtu import system as rtu_system
from .rtu.base import *  # noqa: F403
from .rtu.errors import *  # noqa: F403
from .rtu.files import *  # noqa: F403
from .rtu.kernels import *  # noqa: F403
from .rtu.parse import *  # noqa: F403
from .rtu.runs import *  # noqa: F403
from .rtu.system import *  # noqa: F403
from .runs import *  # noqa: F403

__all__: list[str] = []
for _module in (
    base,
    deltas,
    history,
    kernels,
    notebook,
    outputs,
    people,
    resources,
    runs,
    rtu_base,
    rtu_errors,
    rtu_files,
    rtu_kernels,
    rtu_parse,
    rtu_runs,
    rtu_system,
):
    __all__ += _module.__all__
