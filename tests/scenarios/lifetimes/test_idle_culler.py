"""Under a real JupyterHub with its idle culler: whoever is there over RTU is there."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import rtu_magics
from rtu_magics.session import Session

from ...helpers.hub import Hub, running_hub

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

IDLE = 10  # seconds that an idle server lives


def join(hub: Hub, name: str) -> Session:
    return rtu_magics.connect(f"{hub.url_of(name)}/tree/a.ipynb", token=hub.tokens[name])


def test_a_server_is_kept_for_who_edits_or_listens_and_ended_once_they_go(tmp_path: Path) -> None:
    names = ["edits", "listens", "nobody"]
    for name in names:
        cell = {"cell_type": "code", "id": "one", "metadata": {}, "source": ""}
        cell |= {"outputs": [], "execution_count": None}
        content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.ipynb").write_text(json.dumps(content))
    with running_hub(tmp_path, names, cull_after=IDLE) as hub:
        hub.start(*names)
        with join(hub, "edits") as editor, join(hub, "listens"):
            ended = time.monotonic() + 3 * IDLE
            number = 0
            while hub.ready("nobody") or time.monotonic() < ended:
                number += 1
                editor.edit("one", f"x = {number}")
                time.sleep(0.5)
            assert hub.ready("edits")
            assert hub.ready("listens")
        hub.wait_until(lambda: not hub.ready("edits") and not hub.ready("listens"))
