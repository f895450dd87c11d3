"""The notebook as a document: squashing deltas, patching text, reducing outputs. All of it pure."""

from .builder import NotebookBuilder
from .bundle import best_mimetype, bundle_content, is_binary, mime_text, valid_bundle
from .merge import make_patch, merge_text
from .normalise import normalise_notebook
from .output_widgets import OutputWidgets
from .outputs import (
    Appended,
    Cleared,
    Continued,
    OutputChange,
    OutputReducer,
    RunOutput,
    Updated,
)
from .patch import apply_patch
from .plain import still_cell

__all__ = [
    "Appended",
    "Cleared",
    "Continued",
    "NotebookBuilder",
    "OutputChange",
    "OutputReducer",
    "OutputWidgets",
    "RunOutput",
    "Updated",
    "apply_patch",
    "best_mimetype",
    "bundle_content",
    "is_binary",
    "make_patch",
    "merge_text",
    "mime_text",
    "normalise_notebook",
    "still_cell",
    "valid_bundle",
]
