"""The one public way into the layer."""

import rtu_magics.document


def test_the_public_names_are_what_we_promise() -> None:
    assert rtu_magics.document.__all__ == [
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
    for name in rtu_magics.document.__all__:
        assert getattr(rtu_magics.document, name).__doc__ or name == "OutputChange"
