"""Notebooks that other projects test themselves with: one cell is edited, all else stays."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import urllib.request
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

from ..document.test_notebook_file import as_jupyter
from ..helpers.server import RunningServer

pytestmark = pytest.mark.server

SDISTS = (("nbformat", "5.10.4"), ("nbconvert", "7.16.6"), ("nbdime", "4.0.2"))
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
    """Download a source distribution from PyPI; its digest is checked."""
    index = os.environ.get("RTU_TEST_PYPI", "https://pypi.org").rstrip("/")
    try:
        with urllib.request.urlopen(f"{index}/pypi/{name}/{version}/json", timeout=60) as answer:
            files = json.load(answer)["urls"]
        [file] = [file for file in files if file["packagetype"] == "sdist"]
        with urllib.request.urlopen(file["url"], timeout=120) as answer:
            content = answer.read()
    except OSError as exc:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"the source of {name} {version} cannot be had from PyPI here ({exc})")
    assert hashlib.sha256(content).hexdigest() == file["digests"]["sha256"]
    path = folder / str(file["filename"])
    path.write_bytes(content)
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
