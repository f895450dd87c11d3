from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ...helpers.server import RunningServer, running_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for the tests of a module that don't get into each other's way."""
    with running_server(tmp_path_factory.mktemp("root")) as found:
        yield found


@pytest.fixture
def write_notebook() -> Callable[..., Path]:
    """Write a notebook of code cells with the ids c1, c2, … (or given cells) to a path."""

    def write(path: Path, *sources: str | dict[str, Any], **metadata: Any) -> Path:
        cells = [
            source
            if isinstance(source, dict)
            else {
                "cell_type": "code",
                "id": f"c{number}",
                "metadata": {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for number, source in enumerate(sources, 1)
        ]
        content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return path

    return write
