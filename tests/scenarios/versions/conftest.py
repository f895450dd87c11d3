from __future__ import annotations

from collections.abc import Iterator

import pytest

from ...helpers.server import RunningServer, running_server

# For the environment of the third-party client, not ours.
collect_ignore = ["peer_script.py"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("root")) as found:
        yield found
