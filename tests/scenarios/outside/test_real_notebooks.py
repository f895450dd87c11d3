"""Notebooks that other projects test themselves with: one cell is edited, all else stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import nbformat
import pytest

from rtu_magics.client import APIClient
from rtu_magics.document import normalise_notebook, notebook_bytes
from rtu_magics.errors import InvalidMessage

from ...helpers.server import RunningServer
from ...unit.document.test_notebook_file import as_jupyter

pytestmark = pytest.mark.server

SDISTS = (("jupytext", "1.16.7"), ("nbconvert", "7.16.6"))
SERVED = 12  # through a real server; all of them through the reader and the writer
LARGEST = 2_000_000


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The texts of all notebooks, by project and name."""
    folder = tmp_path_factory.mktemp("sdists")
    texts: dict[str, str] = {}
    for name, version in SDISTS:
        for inner, content in _notebooks(_sdist(name, version, folder)):
            texts[f"{name}: {inner}"] = content
    assert len(texts) > 60
    return texts


def _sdist(name: str, version: str, folder: Path) -> Path:
    """Have pip fetch a source distribution, from where it is set up to look, or from its cache."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
    done = subprocess.run(
        [*command, f"--dest={folder}", f"{name}=={version}"],
        capture_output=True,
        text=True,
        check=False,
    )
    path = next(folder.glob(f"{name}-*.tar.gz"), None)
    if path is None:
        why = (done.stderr.strip().splitlines() or ["nothing came"])[-1]
        assert os.environ.get("CI") != "true", done.stderr
        pytest.skip(f"pip cannot fetch the source of {name} {version} here ({why})")
    return path


def _notebooks(sdist: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(sdist) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".ipynb") and member.size < LARGEST:
                file = archive.extractfile(member)
                assert file is not None
                yield member.name.partition("/")[2], file.read().decode("utf-8", "replace")


def _jupyter(text: str) -> bytes | None:
    """What Jupyter would write; None where it opens nothing or makes up ids at each turn."""
    try:
        written = as_jupyter(text)
        return written if written == as_jupyter(text) else None
    except Exception:
        return None


def test_every_notebook_that_jupyter_opens_is_written_as_by_jupyter(found: dict[str, str]) -> None:
    compared = 0
    for name, text in found.items():
        expected = _jupyter(text)
        if expected is None:
            try:
                normalise_notebook(text)
            except InvalidMessage as exc:
                assert "\n" not in str(exc), name  # noqa: PT017
            continue
        assert notebook_bytes(normalise_notebook(text)) == expected, name
        compared += 1
    assert compared > 50


async def test_only_the_edited_cell_changes(
    shared_server: RunningServer, found: dict[str, str]
) -> None:
    kept = {name: text for name, text in found.items() if _jupyter(text) is not None}
    step = max(1, len(kept) // SERVED)
    async with APIClient(shared_server.token, shared_server.api_url) as api:
        for name in sorted(kept)[::step]:
            path = shared_server.root / f"real{uuid4().hex[:8]}.ipynb"
            path.write_bytes(kept[name].encode())
            file = await api.open_file(path.name)
            client = await api.connect_realtime(file)
            ids = client.cell_ids
            if not ids:
                await client.shutdown()
                continue
            await client.replace_cell_content(ids[len(ids) // 2], "edited")
            await api.save_file(file.id)
            await client.shutdown()
            expected = json.loads(as_jupyter(kept[name]))
            expected["cells"][len(ids) // 2]["source"] = ["edited"]
            assert _as_written(expected) == path.read_text(), name


def _as_written(content: dict[str, Any]) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nbformat.writes(nbformat.from_dict(content)) + "\n"
