"""A notebook that its owner trusts (Jupyter's signatures), before and after it is written here."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_server.services.contents.filemanager import FileContentsManager
from nbformat.sign import NotebookNotary
from traitlets.config import Config
from websockets.exceptions import ConnectionClosed

from rtu_magics.server.file.format import hash_of
from rtu_magics.server.file.trust import Notary

from ....helpers.rtu import NotebookClient, call, follow, open_notebook, post
from ....helpers.server import RunningServer, running_server, start_server
from ...roles.conftest import follow_as, invite
from .dying_server import DIE

pytestmark = pytest.mark.server

HTML = {"output_type": "display_data", "data": {"text/html": ["<b>0</b>"]}, "metadata": {}}
SHOWS = "from IPython.display import HTML, display\ndisplay(HTML('<b>{}</b>'))"
UPDATES = (
    "from IPython.display import HTML, update_display\n"
    "update_display(HTML('<b>1</b>'), display_id='d')"
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return Jupyter's data directory, where the signatures lie."""
    found = tmp_path / "data"
    found.mkdir()
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(found))
    return found


@pytest.fixture
def server(tmp_path: Path, data: Path) -> Iterator[RunningServer]:
    (tmp_path / "root").mkdir()
    with running_server(tmp_path / "root") as found:
        yield found


@pytest.fixture
def path(server: RunningServer, write_notebook: Callable[..., Path]) -> Path:
    """Return a notebook with an output that could hold a script, which nobody has trusted yet."""
    shown = {
        "cell_type": "code",
        "id": "old",
        "metadata": {},
        "source": "old",
        "outputs": [HTML],
        "execution_count": 3,
    }
    words = {"cell_type": "markdown", "id": "words", "metadata": {}, "source": "words"}
    mine = {**shown, "id": "mine", "source": SHOWS.format("mine"), "outputs": []}
    return write_notebook(server.root / "n.ipynb", shown, mine, words)


def trust(path: Path) -> None:
    notary = NotebookNotary()
    notary.sign(nbformat.read(path, as_version=4))
    notary.store.close()


def trusted(path: Path) -> bool:
    notary = NotebookNotary()
    try:
        return bool(notary.check_signature(nbformat.read(path, as_version=4)))
    finally:
        notary.store.close()


async def saved(server: RunningServer, path: Path, file_id: str, text: str) -> None:
    before = path.read_text()
    response = await call(server, "POST", f"/v1/files/{file_id}/save")
    assert response.status_code == 200, response.text
    assert text in path.read_text(), before


async def run(client: NotebookClient, cell_id: str) -> None:
    await client.execute(cell_id)
    await client.finished(cell_id)


async def edit(client: NotebookClient, cell_id: str, source: str) -> None:
    await client.change("cell_contents", "replace", {"source": source}, cell_id)


async def test_edits_of_whoever_leave_it_trusted(server: RunningServer, path: Path) -> None:
    trust(path)
    file_id = await open_notebook(server, path.name)
    async with follow(server, file_id) as client:
        await edit(client, "old", "edited")
        await saved(server, path, file_id, "edited")
        assert trusted(path)
    token = (await invite(server, file_id, "contributor"))["token"]
    async with follow_as(server, file_id, token) as guest:
        await edit(guest, "words", "their <script>words</script>")
        await saved(server, path, file_id, "their")
        assert trusted(path)
        await guest.change("cell_metadata", "update", {"path": ["trusted"], "value": True}, "mine")
        await guest.add("another", "x = 1")
        await saved(server, path, file_id, "x = 1")
        assert trusted(path)
        assert '"trusted"' not in path.read_text()


async def test_outputs_that_come_with_somebodys_cell_are_not_trusted(
    server: RunningServer, path: Path
) -> None:
    trust(path)
    file_id = await open_notebook(server, path.name)
    token = (await invite(server, file_id, "contributor"))["token"]
    async with follow_as(server, file_id, token) as guest:
        html = {**HTML, "data": {"text/html": "<b>theirs</b>"}}
        await guest.add("new", "theirs", outputs=[html], metadata={"trusted": True})
        await saved(server, path, file_id, "theirs")
    assert not trusted(path)
    assert '"trusted"' not in path.read_text()


async def test_what_was_not_trusted_never_is_unless_somebody_trusts_it(
    server: RunningServer, path: Path
) -> None:
    file_id = await open_notebook(server, path.name)
    async with follow(server, file_id) as client:
        await edit(client, "old", "edited")
        await saved(server, path, file_id, "edited")
        assert not trusted(path)
        trust(path)  # while it is open
        await edit(client, "old", "once more")
        await saved(server, path, file_id, "once more")
        assert trusted(path)
        notary = NotebookNotary()
        notary.unsign(nbformat.read(path, as_version=4))
        notary.store.close()
        await edit(client, "old", "thrice")
        await saved(server, path, file_id, "thrice")
        assert not trusted(path)


async def test_another_programs_outputs_count_as_that_program_signed_them(
    server: RunningServer, path: Path
) -> None:
    trust(path)
    file_id = await open_notebook(server, path.name)
    async with follow(server, file_id) as client:
        for text, signs in (("<b>signed</b>", True), ("<b>unsigned</b>", False)):
            notebook = nbformat.read(path, as_version=4)
            notebook.cells[0].outputs[0]["data"]["text/html"] = text
            nbformat.write(notebook, path)
            if signs:
                trust(path)
            await edit(client, "mine", f"after {text}")
            await saved(server, path, file_id, f"after {text}")
            assert text in path.read_text()
            assert trusted(path) is signs


async def test_signatures_that_cannot_be_stored_keep_nothing_from_being_saved(
    server: RunningServer, path: Path, data: Path
) -> None:
    trust(path)
    file_id = await open_notebook(server, path.name)
    lock = sqlite3.connect(data / "nbsignatures.db", isolation_level=None)
    try:
        async with follow(server, file_id) as client:
            await edit(client, "old", "first")
            await saved(server, path, file_id, "first")
            assert trusted(path)
            lock.execute("BEGIN EXCLUSIVE")
            await edit(client, "old", "second")
            await saved(server, path, file_id, "second")
    finally:
        lock.close()
    assert "Traceback" not in server.log.read_text()


async def test_a_secret_that_cannot_be_read_keeps_nothing_from_being_saved(
    server: RunningServer, path: Path, data: Path
) -> None:
    trust(path)
    (data / "notebook_secret").unlink()
    (data / "notebook_secret").mkdir()
    file_id = await open_notebook(server, path.name)
    async with follow(server, file_id) as client:
        for text in ("first", "second"):
            await edit(client, "old", text)
            await saved(server, path, file_id, text)
    lines = server.log.read_text().splitlines()
    assert len([line for line in lines if "cannot be signed as trusted" in line]) == 1, lines
    assert "Traceback" not in "\n".join(lines)


@pytest.mark.kernel
async def test_runs_of_owners_leave_it_trusted_and_others_do_not(
    server: RunningServer, path: Path
) -> None:
    trust(path)
    file_id = await open_notebook(server, path.name)
    await post(server, "/v1/sessions", {"file_id": file_id})
    async with follow(server, file_id) as client:
        await run(client, "mine")
        await saved(server, path, file_id, "<b>mine</b>")
        assert trusted(path)
    token = (await invite(server, file_id, "executor"))["token"]
    helper = (await invite(server, file_id, "contributor"))["token"]
    async with follow_as(server, file_id, helper) as guest:
        await edit(guest, "old", "print('plain')")
    async with follow_as(server, file_id, token) as guest:
        await run(guest, "old")
        await saved(server, path, file_id, "plain")
        assert trusted(path)  # text alone does no harm
    async with follow_as(server, file_id, helper) as guest:
        await edit(guest, "old", SHOWS.format("theirs"))
        await run(guest, "old")
        await saved(server, path, file_id, "<b>theirs</b>")
        assert not trusted(path)
    async with follow(server, file_id) as client:
        await run(client, "old")
        await edit(client, "words", "not trusted by itself")
        await saved(server, path, file_id, "not trusted by itself")
        assert not trusted(path)
        trust(path)
        await edit(client, "words", "trusted by its owner")
        await saved(server, path, file_id, "trusted by its owner")
        assert trusted(path)


@pytest.mark.kernel
async def test_what_somebodys_run_puts_into_an_owners_outputs_is_not_trusted(
    server: RunningServer, path: Path
) -> None:
    trust(path)
    file_id = await open_notebook(server, path.name)
    await post(server, "/v1/sessions", {"file_id": file_id})
    async with follow(server, file_id) as client:
        source = "from IPython.display import HTML, display\n_ = display(HTML('0'), display_id='d')"
        await edit(client, "mine", source)
        await run(client, "mine")
        await saved(server, path, file_id, "display_id='d'")
        assert trusted(path)
    helper = (await invite(server, file_id, "contributor"))["token"]
    async with follow_as(server, file_id, helper) as guest:
        await edit(guest, "old", UPDATES)
        await run(guest, "old")
        await saved(server, path, file_id, '"<b>1</b>"')
    assert not trusted(path)


@pytest.mark.kernel
@pytest.mark.parametrize("own", [True, False], ids=["an owner's", "a guest's"])
async def test_whose_runs_they_were_is_known_after_a_crash(
    tmp_path: Path, data: Path, write_notebook: Callable[..., Path], own: bool
) -> None:
    """The server is killed when it is about to write what a run put out."""
    root = tmp_path / "root"
    path = write_notebook(root / "n.ipynb", SHOWS.format("mine"), "x = 1")
    trust(path)
    server = start_server(root, module="tests.scenarios.server.file.dying_server")
    file_id = await open_notebook(server, path.name)
    await post(server, "/v1/sessions", {"file_id": file_id})
    (root / DIE).write_text("before")
    token = (await invite(server, file_id, "executor"))["token"]
    who = follow(server, file_id) if own else follow_as(server, file_id, token)
    with contextlib.suppress(ConnectionClosed):
        async with who as client:
            await run(client, "c1")
            await client.wait_for("never", timeout=30)
    await asyncio.to_thread(server.process.wait, 30)
    server.kill()
    assert "<b>mine</b>" not in "".join(str(c.outputs) for c in nbformat.read(path, 4).cells[:1])
    (root / DIE).unlink()
    with running_server(root) as again:
        assert await open_notebook(again, path.name) == file_id
        async with follow(again, file_id) as client:
            await edit(client, "c2", "x = 2")
            await saved(again, path, file_id, "x = 2")
        assert "<b>mine</b>" in "".join(str(c.outputs) for c in nbformat.read(path, 4).cells[:1])
        assert trusted(path) is own


async def test_the_settings_of_the_jupyter_server_count(path: Path, tmp_path: Path) -> None:
    """Signatures lie where its configuration says, and are made with its algorithm."""
    settings = {"algorithm": "sha512", "db_file": str(tmp_path / "other.db")}
    manager = FileContentsManager(config=Config({"NotebookNotary": settings}))
    manager.notary.sign(nbformat.read(path, as_version=4))
    edited = path.read_bytes().replace(b"words", b"other words")
    notary = Notary(lambda: manager)
    ids = ["old", "mine", "words"]
    await notary.carry_over(path, hash_of(path.read_bytes()), edited, ids, set())
    path.write_bytes(edited)
    assert manager.notary.check_signature(nbformat.read(path, as_version=4))
    path.write_bytes(edited.replace(b"other", b"untold"))
    await notary.carry_over(path, hash_of(edited), path.read_bytes(), ids, set())
    notary.close()
    assert not trusted(path)  # by those of the user
