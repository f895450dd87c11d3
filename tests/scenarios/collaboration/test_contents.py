"""Notebooks that are more to Jupyter than their file: whoever connects is told so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ...helpers.rtu import call, follow, open_notebook
from ...helpers.server import running_server
from ..server.test_disk import change, eventually, load, sources
from .conftest import Lab, environment
from .test_two_owners import refused

pytestmark = [pytest.mark.server, pytest.mark.timeout(1200)]

PAIRED = {"jupytext": {"formats": "ipynb,py:percent"}}
TEXT = "# ---\n# jupyter:\n#   jupytext:\n#     formats: ipynb,py:percent\n# ---\n\n# %%\nx = 1\n"


async def test_jupytext(
    start_lab: Callable[..., Lab],
    place: Path,
    write_notebook: Any,
) -> None:
    write_notebook(place / "alone.ipynb", "x = 1")
    write_notebook(place / "paired.ipynb", "x = 1", **PAIRED)
    (place / "paired.py").write_text(TEXT)
    write_notebook(place / "sub" / "by_settings.ipynb", "x = 1")
    (place / "sub" / "jupytext.toml").write_text('formats = "ipynb,md"\n')
    python = environment("jupytext", ["jupytext==1.19.1"])
    lab = start_lab(rtu=True, python=python, extensions=("jupytext",))
    assert await open_notebook(lab, "alone.ipynb")
    assert "paired with paired.py by jupytext" in await refused(lab, "paired.ipynb")
    assert "jupytext settings (ipynb,md)" in await refused(lab, "sub/by_settings.ipynb")


@pytest.mark.parametrize("how", ["metadata", "header", "other folder"])
async def test_a_pair_without_jupytext_beside_us(
    place: Path,
    write_notebook: Any,
    how: str,
) -> None:
    metadata: Any = PAIRED if how == "metadata" else {}
    if how == "other folder":
        metadata = {"jupytext": {"formats": "notebooks//ipynb,scripts//py:light"}}
    else:
        (place / "n.py").write_text(TEXT)
    write_notebook(place / "n.ipynb", "x = 1", **metadata)
    write_notebook(place / "alone.ipynb", "x = 1", **PAIRED)  # its text is gone long since
    with running_server(place) as server:
        assert "by jupytext" in await refused(server, "n.ipynb")
        assert await open_notebook(server, "alone.ipynb")


async def test_paired_while_it_is_open(
    place: Path,
    write_notebook: Any,
) -> None:
    """As with a click in JupyterLab: from then on our writes would leave the text behind."""
    path = write_notebook(place / "n.ipynb", "x = 1")
    with running_server(place) as server:
        file_id = await open_notebook(server, "n.ipynb")
        async with follow(server, file_id) as client:
            (place / "n.py").write_text(TEXT)
            change(path, lambda nb: nb["metadata"].update(PAIRED))
            told = await client.wait_for("file_state_event", lambda m: m["data"]["state"] == "held")
            assert "n.ipynb is paired with n.py by jupytext" in told["data"]["reason"]
            paired = path.read_bytes()
            await client.add("kept", "k = 1")
            response = await call(server, "POST", f"/v1/files/{file_id}/save")
            assert response.status_code == 409
            assert "edits are kept" in response.json()["message"]
            assert path.read_bytes() == paired
            change(path, lambda nb: nb["metadata"].pop("jupytext"))
            await eventually(lambda: sources(load(path)) == ["k = 1", "x = 1"], 60)


@pytest.mark.parametrize("what", ["manager", "hook"])
async def test_other_managers_and_hooks(
    start_lab: Callable[..., Lab],
    place: Path,
    tmp_path: Path,
    write_notebook: Any,
    what: str,
) -> None:
    write_notebook(place / "n.ipynb", "x = 1")
    (tmp_path / "elsewhere.py").write_text(
        "from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager\n"
        "class Elsewhere(AsyncLargeFileManager):\n"
        "    async def save(self, model, path=''):\n"
        "        return await super().save(model, path)\n"
        "def export(**kwargs):\n"
        "    pass\n"
    )
    config = tmp_path / "config.py"
    line = (
        "c.ServerApp.contents_manager_class = elsewhere.Elsewhere"
        if what == "manager"
        else "c.FileContentsManager.post_save_hook = elsewhere.export"
    )
    head = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport elsewhere\n"
    config.write_text(f"{head}{line}\n")
    lab = start_lab(f"--config={config}", rtu=True, python=sys.executable, extensions=())
    why = await refused(lab, "n.ipynb")
    assert ("Elsewhere" if what == "manager" else "post_save_hook") in why
    assert "rtu-magics serve" in why
