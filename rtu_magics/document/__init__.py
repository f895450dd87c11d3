"""The notebook as a document: squashing deltas, patching text, reducing outputs. All of it pure."""

from .builder import NotebookBuilder
from .bundle import best_mimetype, bundle_content, is_binary, mime_text, valid_bundle
from .file_parts import ORIGINAL, unnamed_parts
from .merge import make_patch, merge_text
from .normalise import normalise_notebook
from .notebook_file import notebook_bytes
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
from .piecewise import built, cell_json, copied, lines_of, read_lines
from .plain import still_cell
from .repair import ABSENT
from .subsequence import longest_rising
from .targets import targets_of

__all__ = [
    "ABSENT",
    "ORIGINAL",
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
    "built",
    "bundle_content",
    "cell_json",
    "copied",
    "is_binary",
    "lines_of",
    "longest_rising",
    "make_patch",
    "merge_text",
    "mime_text",
    "normalise_notebook",
    "notebook_bytes",
    "read_lines",
    "still_cell",
    "targets_of",
    "unnamed_parts",
    "valid_bundle",
]
