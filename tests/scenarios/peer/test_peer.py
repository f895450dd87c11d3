"""The third-party client, unchanged and in an environment of its own, against a real server."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rtu_magics.client import APIClient

from ...helpers.cli import ready_line, serving
from ...helpers.needs import third_party_client
from ...helpers.peer import peer_environ

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.peer]


@pytest.fixture(scope="session")
def peer() -> str:
    """The interpreter of the peer's environment."""
    return third_party_client()


def drive(peer: str, script: str, server: dict[str, Any]) -> dict[str, Any]:
    """Run a script in the peer's environment against a server; return what it saw."""
    ran = subprocess.run(
        [
            peer,
            str(Path(__file__).with_name(script)),
            server["api_url"],
            server["token"],
            server["project_id"],
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env=peer_environ(),
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    seen: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return seen


@pytest.mark.timeout(700)
def test_the_third_party_client_works_unchanged(tmp_path: Path, peer: str) -> None:
    with serving("--json", cwd=tmp_path) as process:
        seen = drive(peer, "peer_script.py", ready_line(process))
        assert seen["outputs"] == {
            "x = 21\nx + 1": ["22"],
            "print('replaced')\n40 + 2": ["replaced\n", "42"],
        }
        assert "does not apply" in seen["rejected"]
        assert seen["same"] is True
        assert seen["sources"] == [
            "x = 21\nx + 1",
            "print('replaced')\n40 + 2",
            "# A fine title!",
            "1 / 0",
        ]
    on_disk = json.loads((tmp_path / "peer" / "lesson.ipynb").read_text())
    assert ["".join(cell["source"]) for cell in on_disk["cells"]] == seen["sources"]
    assert on_disk["cells"][0]["outputs"][0]["data"] == {"text/plain": ["22"]}


OK, FAILED = "finished_with_no_error", "finished_with_error"


@pytest.mark.timeout(700)
def test_two_of_the_third_party_client_edit_and_run_at_once(tmp_path: Path, peer: str) -> None:
    with serving("--json", cwd=tmp_path) as process:
        server = ready_line(process)
        seen = drive(peer, "two_clients_script.py", server)
        ours = asyncio.run(as_we_see_it(server, seen["file_id"]))
    on_disk = json.loads((tmp_path / "peer" / "together.ipynb").read_text())["cells"]

    # Both, who came late, who came fresh, we, and the file: all hold the same.
    assert seen["same"] is True
    assert [cell[:3] for cell in ours] == [cell[:3] for cell in seen["cells"]]
    assert [cell[3] for cell in ours] == [cell[3] for cell in seen["cells"]]
    assert [[c["id"], c["cell_type"], "".join(c["source"])] for c in on_disk] == [
        cell[:3] for cell in seen["cells"]
    ]
    assert seen["storm"]["lines"] > 30
    assert seen["replayed"] == 3

    refused = seen["refused"]
    assert "was deleted" in refused["double delete"]
    for what in ("unknown cell", "unknown cell, patch", "unknown cell, move"):
        assert "not in the notebook" in refused[what]
    assert "not a text patch" in refused["unparsable patch"]
    assert "does not apply" in refused["patch that does not apply"]
    assert "after itself" in refused["move after itself"]
    assert "already in the notebook" in refused["id taken"]
    assert "spent" in refused["id spent"]
    assert "at most" in refused["oversized"]
    assert refused["invited"] == ["Permission denied"] * 2  # all that it makes of our words

    ran = seen["run"]
    assert ran["first"] == {"loud": OK, "rich": OK, "broken": FAILED, "after": FAILED}
    assert ran["second"] == {"loud": OK, "rich": OK, "broken": OK, "after": OK}
    assert ran["third"] == {"broken": OK, "after": OK}
    assert [output[0] for output in ran["outputs"]["loud"]] == [
        "stream",
        "stream",
        "execute_result",
    ]
    assert ran["outputs"]["rich"] == [
        ["display_data", "text/html", "<b>bold</b>", ["text/plain", "text/html"]]
    ]
    assert ran["broken"][0][0] == "error"
    assert "NameError: name 'zero' is not defined" in ran["broken"][0][2]
    loud = next(cell for cell in on_disk if cell["id"] == "loud")
    assert loud["outputs"][-1]["data"] == {"text/plain": ["42"]}


@pytest.mark.timeout(700)
def test_outputs_that_come_after_the_end_of_their_cell(tmp_path: Path, peer: str) -> None:
    with serving("--json", cwd=tmp_path) as process:
        seen = drive(peer, "late_script.py", ready_line(process))
    assert seen["outputs"] == {
        "text": ["early\nlate\n", "'late display'"],
        "clears": ["instead\n"],
        "after": ["after\n"],
    }
    assert seen["mine"] == ["early\n", "late\n", "'late display'"]
    assert seen["cleared"]
    assert set(seen["states"].values()) == {OK}
    on_disk = json.loads(next(tmp_path.rglob("late.ipynb")).read_text())["cells"]
    assert [output["output_type"] for output in on_disk[0]["outputs"]] == ["stream", "display_data"]
    assert on_disk[1]["outputs"][0]["text"] == ["instead\n"]


async def as_we_see_it(server: dict[str, Any], file_id: str) -> list[list[Any]]:
    """Return the cells as our own client has them that joins last."""
    async with APIClient(server["token"], server["api_url"]) as api:
        client = await api.connect_realtime(file_id)
        cells = [[c.id, c.cell_type, c.source, c.metadata] for c in client.builder.nb.cells]
        await client.shutdown(now=True)
        return cells
