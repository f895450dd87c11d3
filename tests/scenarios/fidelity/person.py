"""What a person sees below a cell in a front end with Output widgets, by the rules of nbclient."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import nbformat
from jupyter_client.session import Session
from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget

from .front_end import CellSeen, plain

__all__ = ["looks"]

_VIEW = "application/vnd.jupyter.widget-view+json"


def looks(cells: list[CellSeen], own_errors: tuple[str, ...] = ()) -> list[list[str]]:
    """Return what stands below each cell in the end, as texts.

    Parameters
    ----------
    cells
        With everything that a front end received.
    own_errors
        Names of errors that follow a remote one and are left out.
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell() for _ in cells])
    client = NotebookClient(notebook, record_timing=False)
    nobody = SimpleNamespace(send=lambda message: None)
    client.reset_execution_trackers()
    client.kc = SimpleNamespace(session=Session(), shell_channel=nobody)  # type: ignore[assignment]
    for index, (seen, cell) in enumerate(zip(cells, notebook.cells, strict=True)):
        client.clear_before_next_output = False
        errors = [m for m in seen.whole if m["msg_type"] == "error"]
        own = errors[-1] if errors and errors[-1]["content"]["ename"] in own_errors else None
        for message in seen.whole:
            if message is own and len(own["content"]["traceback"]) == 1:
                continue
            client.process_message(message, cell, index)
    return [_texts(client, cell.outputs) for cell in notebook.cells]


def _texts(client: NotebookClient, outputs: list[Any]) -> list[str]:
    found: list[str] = []
    for output in outputs:
        if output.output_type == "stream":
            if found and found[-1].startswith(output.name):
                found[-1] += output.text
            else:
                found.append(f"{output.name}: {output.text}")
        elif output.output_type == "error":
            found.append("\n".join(output.traceback))
        else:
            found.append(_shown(client, output.data))
    return [plain(text) for text in found]


def _shown(client: NotebookClient, data: Any) -> str:
    model_id = (data.get(_VIEW) or {}).get("model_id", "")
    widget = client.comm_objects.get(model_id)
    text = str(data.get("text/plain", ""))
    if not isinstance(widget, OutputWidget):
        return text
    parts = []
    for output in map(nbformat.from_dict, widget.outputs):
        if output.output_type == "stream":
            parts.append(output.text.rstrip("\n"))
        elif output.output_type == "error":
            parts.append("\n".join(output.traceback))
        else:
            parts.append(output.data.get("text/plain", ""))
    return "\n".join(parts) if parts else text
