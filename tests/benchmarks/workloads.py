"""The same notebooks, deltas and messages for both sides, as JSON."""

from __future__ import annotations

import json
import random
from typing import Any
from uuid import UUID, uuid4

from rtu_magics.document import NotebookBuilder, make_patch
from rtu_magics.errors import SquashError
from rtu_magics.models import FileDeltaAdapter, Notebook

FILE_ID = str(UUID(int=7))
TIME = "2026-11-24T06:36:19.123456+00:00"
NULL = "__NULL_RESOURCE__"


def source(number: int) -> str:
    return (
        f"frame_{number} = load('data_{number}.csv')\n"
        f"frame_{number}['x'] = frame_{number}['y'] * {number}\n"
        f"frame_{number}.describe()\n"
    )


def notebook(cells: int) -> dict[str, Any]:
    """Return a notebook of code cells with ids ``c0``, ``c1``, …."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {
                "cell_type": "code",
                "id": f"c{number}",
                "source": source(number),
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for number in range(cells)
        ],
    }


def delta(delta_type: str, action: str, properties: Any, resource_id: str = NULL) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "file_id": FILE_ID,
        "delta_type": delta_type,
        "delta_action": action,
        "resource_id": resource_id,
        "parent_delta_id": str(uuid4()),
        "properties": properties,
        "created_at": TIME,
        "created_by_id": str(uuid4()),
    }


def _typed_into(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(["x", " + 1", "# why?\n", "é"]) + text[at:]


def edits(
    content: dict[str, Any], count: int, *, burst: int = 10, seed: int = 1
) -> list[dict[str, Any]]:
    """Return a chain for a notebook: 70 % small text patches, the rest a mix of everything else.

    The patches come as people type them: `burst` in one cell on average before another one has its
    turn.
    """
    rng = random.Random(seed)
    builder = NotebookBuilder(Notebook.model_validate(content))
    ids = list(builder.cell_ids)
    chain: list[dict[str, Any]] = []

    def other() -> dict[str, Any]:
        cell_id, neighbour = rng.choice(ids), rng.choice(ids)
        kind = rng.randrange(6)
        if kind == 0:
            new_id = f"n{len(chain)}"
            cell = {"cell_type": "code", "id": new_id, "source": source(1), "metadata": {}}
            ids.append(new_id)
            return delta("nb_cells", "add", {"id": new_id, "cell": cell, "after_id": neighbour})
        if kind == 1 and len(ids) > 5:
            ids.remove(cell_id)
            return delta("nb_cells", "delete", {"id": cell_id})
        if kind == 2 and cell_id != neighbour:
            return delta("nb_cells", "move", {"id": cell_id, "after_id": neighbour})
        if kind == 3:
            update = {"path": ["a", "b"], "value": len(chain), "prior_value": None}
            return delta("cell_metadata", "update", update, cell_id)
        if kind == 4:
            collection = {"output_collection_id": str(uuid4())}
            return delta("cell_output_collection", "replace", collection, cell_id)
        return delta("cell_contents", "replace", {"source": source(2)}, cell_id)

    typing_in = rng.choice(ids)
    while len(chain) < count:
        if rng.random() < 0.7:
            if typing_in not in ids or rng.random() < 1 / burst:
                typing_in = rng.choice(ids)
            cell_id = typing_in
            text = builder.cell(cell_id).source
            patch = make_patch(text, _typed_into(text, rng))
            made = delta("cell_contents", "update", {"patch": patch}, cell_id)
        else:
            made = other()
        if chain:
            made["parent_delta_id"] = chain[-1]["id"]
        try:
            builder.apply_delta(FileDeltaAdapter.validate_python(made))
        except SquashError:
            continue
        chain.append(made)
    return chain


def _message(channel: str, event: str, data: Any) -> str:
    content = {
        "transaction_id": str(uuid4()),
        "channel": channel,
        "event": event,
        "data": data,
        "processed_timestamp": TIME,
        "msg_id": str(uuid4()),
    }
    return json.dumps(content, separators=(",", ":"))


def messages() -> dict[str, str]:
    """Return one message of each kind that a client sees often."""
    files, kernels = f"files/{FILE_ID}", "kernels/notebook-kernel-00000000000000000000"
    chain = {d["delta_type"] + " " + d["delta_action"]: d for d in edits(notebook(20), 120)}
    states = [{"cell_id": str(uuid4()), "state": "queued"} for _ in range(20)]
    kernel = {"name": "python3", "execution_state": "idle", "last_activity": TIME}
    return {
        **{name: _message(files, "new_delta_event", d) for name, d in sorted(chain.items())},
        "reply": _message(files, "new_delta_reply", {"success": True}),
        "20 cell states": _message(
            kernels, "bulk_cell_state_update_event", {"cell_states": states}
        ),
        "kernel status": _message(
            kernels, "kernel_status_update_event", {"session_id": str(uuid4()), "kernel": kernel}
        ),
    }
