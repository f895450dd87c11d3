"""The renderer of mirror and history, once in each kernel instead of once in each widget.

Whoever saves a notebook with its widgets' state (JupyterLab, nbclient, nbconvert) saves every
widget's code along. So the widgets carry a few lines that get the renderer from one hidden model,
where it lies packed.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import threading
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

__all__ = ["RenderedWidget"]

_STATIC = Path(__file__).parent / "static"


@functools.cache
def _packed() -> tuple[str, str]:
    """Return the renderer, compressed and in base64, and what tells it from other versions."""
    code = (_STATIC / "mirror.js").read_bytes()
    packed = base64.b64encode(gzip.compress(code, mtime=0)).decode("ascii")
    return packed, hashlib.sha256(code).hexdigest()[:16]


class _Holder(anywidget.AnyWidget):
    """Holds the renderer, and shows nothing."""

    _esm = "export default {}"
    packed = traitlets.Unicode("").tag(sync=True)

    lock: ClassVar[threading.Lock] = threading.Lock()
    present: ClassVar[_Holder | None] = None

    @classmethod
    def id_of_present(cls) -> str:
        """Return the model of this kernel, made again after a ``Widget.close_all()``."""
        with cls.lock:
            if cls.present is None or cls.present.comm is None:
                cls.present = cls(packed=_packed()[0])
            return cls.present.model_id or ""


class RenderedWidget(anywidget.AnyWidget):
    """Base of the widgets that share the renderer."""

    _esm = _STATIC / "loader.js"
    _css = _STATIC / "mirror.css"
    renderer_id = traitlets.Unicode("").tag(sync=True)
    renderer_digest = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        # Before the widget's own model: the front end looks for it as soon as that is there.
        super().__init__(
            renderer_id=_Holder.id_of_present(), renderer_digest=_packed()[1], **traits
        )
