"""A JupyterLab with live collaboration and without our extension, joined from another server."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from rtu_magics.document import make_patch

from ...helpers.rtu import call, current_notebook, follow, get, open_notebook
from ...helpers.server import RunningServer, start_server
from ..browser.lab import ARTEFACTS
from ..ipython.conftest import interactive_shell
from ..ipython.shells import Shell
from ..server.test_disk import change, eventually, load, sources
from ..server.test_execution import launch
from ..server.test_gateway import Wire
from .conftest import Lab, Page, begin_lab, own_places
from .test_bridge import all_hold, ask, is_deletion, name_of, texts
from .test_bridge_browser import browser, opened, text_of  # noqa: F401  a fixture

# The first of them may have to make the environment.
pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(1200)]

OpenPage = Callable[..., Page]


@dataclass
class Afar:
    """A JupyterLab, a server of ours that joins its notebooks, and what lies between them."""

    lab: Lab
    server: RunningServer
    wire: Wire

    def write(self, name: str, *cells: str) -> Path:
        path = self.lab.root / name
        made = [
            {
                "cell_type": "code",
                "id": f"c{n}",
                "source": source,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for n, source in enumerate(cells, 1)
        ]
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}}
        path.write_text(json.dumps({**content, "cells": made}))
        return path

    async def api(self, method: str, path: str, **options: Any) -> Any:
        async with httpx.AsyncClient(trust_env=False, headers=self.lab.headers) as http:
            response = await http.request(method, f"{self.lab.url}api/{path}", **options)
            assert response.is_success, response.text
            return response.json() if response.content else None

    def start_again(self) -> None:
        """With another token, as a JupyterLab has that nobody gave one."""
        port = int(self.lab.url.rstrip("/").rpartition(":")[2])
        self.lab = begin_lab(self.lab.root, self.lab.log, rtu=False, port=port)


@pytest.fixture(scope="module")
def afar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Afar]:
    home = tmp_path_factory.mktemp("afar")
    root, variables = own_places(home)
    (home / "copies").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        lab = begin_lab(root, home / "lab.log", rtu=False)
        try:
            with Wire(int(lab.url.rstrip("/").rpartition(":")[2])) as wire:
                patch.setenv("RTU_AFAR_TOKEN", lab.token)
                address = f"http://127.0.0.1:{wire.port}"
                found = Afar(lab, start_server(home / "copies", "--afar", address), wire)
                try:
                    yield found
                finally:
                    found.server.stop()
                    found.lab.kill()
        finally:
            lab.kill()


async def test_edits_and_runs_go_both_ways(afar: Afar, open_page: OpenPage) -> None:
    path = afar.write("both.ipynb", "x = 1", "y = 2", "print('page')")
    lab, server = afar.lab, afar.server
    page = await asyncio.to_thread(open_page, lab, "both.ipynb")
    await ask(page, "type 0 00")
    file_id = await open_notebook(server, "both.ipynb")
    wanted = ["x = 100", "y = 2", "print('page')"]
    await all_hold(server, file_id, page, wanted, path)
    async with follow(server, file_id) as client:
        await ask(page, "type 1 0")
        event = await client.wait_for("new_delta_event")
        assert event["data"]["resource_id"] == "c2"
        await client.change("cell_contents", "replace", {"source": "y = 20  # é😀"}, "c2")
        await client.add("new", "print('ours', y)", after_id="c2")

        async def by_ann() -> bool:  # of whom we learn when she renews what she says of herself
            await ask(page, "type 0 0")
            event = await client.wait_for("new_delta_event")
            author = event["data"]["created_by_id"]
            return await name_of(server, file_id, author) == "ann"

        await eventually(by_ann, 30)
        await ask(page, "delete 0")
        await client.wait_for("new_delta_event", is_deletion)
        wanted = ["y = 20  # é😀", "print('ours', y)", "print('page')"]
        await all_hold(server, file_id, page, wanted, path)
        people = await ask(page, "people")
        assert any(one.get("user", {}).get("rtu") for one in people), people

        session = await launch(server, client)
        await client.execute("c2")
        await client.finished("c2", 60)
        await client.execute("new")
        await client.finished("new", 60)
        there = await afar.api("GET", "sessions")
        assert [one["path"] for one in there] == ["both.ipynb"]
        assert there[0]["id"] == session["id"]

        async def shown() -> bool:
            outputs = (await ask(page, "notebook"))["cells"][1]["outputs"]
            return bool(outputs[0]["text"] == "ours 20\n")

        await eventually(shown, 20)
        await ask(page, "run 2 from the page")
        event = await client.wait_for(
            "update_output_collection_event", lambda m: m["data"]["cell_id"] == "c3"
        )
        found = await get(server, f"/outputs/collection/{event['data']['id']}")
        assert "from the page" in str(found)
        response = await call(server, "POST", f"/v1/files/{file_id}/save")
        assert response.status_code == 200, response.text
        cells = load(path)["cells"]
        assert [cell["outputs"][0]["text"] for cell in cells[1:]] == [
            ["ours 20\n"],
            ["from the page"],
        ]


def is_held(message: Any) -> bool:
    return bool(message["data"]["state"] == "held")


async def test_both_type_while_the_connection_is_broken(afar: Afar, open_page: OpenPage) -> None:
    path = afar.write("apart.ipynb", "x = 1", "y = 2", "# ")
    lab, server = afar.lab, afar.server
    page = await asyncio.to_thread(open_page, lab, "apart.ipynb")
    file_id = await open_notebook(server, "apart.ipynb")
    async with follow(server, file_id) as client:
        await ask(page, "type 2 ab")
        await all_hold(server, file_id, page, ["x = 1", "y = 2", "# ab"], path)
        afar.wire.cut()
        event = await client.wait_for("file_state_event", is_held)
        assert "is not connected" in event["data"]["reason"]
        await client.change("cell_contents", "replace", {"source": "x = 'ours'"}, "c1")
        await client.change("cell_contents", "update", {"patch": make_patch("# ab", "# abc")}, "c3")
        await client.add("new", "z = 3", after_id="c1")
        await ask(page, "type 1 !")
        await ask(page, "insert 2 0 #")
        refused = await call(server, "POST", f"/v1/files/{file_id}/save")
        assert refused.status_code >= 400
        assert "is not connected" in refused.text
        refused = await call(server, "POST", f"/v1/files/{file_id}/rename", {"path": "o.ipynb"})
        assert "rename it there" in refused.text
        afar.wire.mend()
        wanted = ["x = 'ours'", "z = 3", "y = 2!", "## abc"]
        await all_hold(server, file_id, page, wanted, path)

        async def written() -> bool:
            return bool((await get(server, f"/v1/files/{file_id}/save"))["state"] == "clean")

        await eventually(written, 20)


async def test_another_program_writes_the_file_there(afar: Afar, open_page: OpenPage) -> None:
    """The live document takes the file over whole; what was in neither file nor save comes back."""
    path = afar.write("outside.ipynb", "x = 1", "y = 2", "z = 3")
    server = afar.server
    page = await asyncio.to_thread(open_page, afar.lab, "outside.ipynb")
    file_id = await open_notebook(server, "outside.ipynb")
    async with follow(server, file_id) as client:
        await ask(page, "type 0 0")
        await all_hold(server, file_id, page, ["x = 10", "y = 2", "z = 3"], path)

        async def written() -> bool:
            return bool((await get(server, f"/v1/files/{file_id}/save"))["state"] == "clean")

        await eventually(written, 30)
        await ask(page, "type 0 0")
        change(path, lambda nb: nb["cells"][2].update(source="z = 'theirs'"))
        await client.change("cell_contents", "replace", {"source": "y = 'ours'"}, "c2")
        wanted = ["x = 100", "y = 'ours'", "z = 'theirs'"]
        await all_hold(server, file_id, page, wanted, path)
        await ask(page, "type 0 0")
        await client.add("more", "m", after_id="c3")
        await all_hold(server, file_id, page, ["x = 1000", *wanted[1:], "m"], path)


async def test_the_lab_is_killed_and_starts_again(afar: Afar, open_page: OpenPage) -> None:
    path = afar.write("killed.ipynb", "x = 1", "y = 2")
    server = afar.server
    page = await asyncio.to_thread(open_page, afar.lab, "killed.ipynb")
    file_id = await open_notebook(server, "killed.ipynb")
    async with follow(server, file_id) as client:
        await ask(page, "type 0 00")
        await client.wait_for("new_delta_event")
        await client.change("cell_contents", "replace", {"source": "y = 'ours'"}, "c2")
        afar.lab.kill()
        await asyncio.to_thread(page.leave)
        await client.wait_for("file_state_event", is_held)
        await client.add("more", "m", after_id="c2")
        await asyncio.to_thread(afar.start_again)
        await client.wait_for(
            "file_state_event", lambda m: "does not accept the token" in m["data"]["reason"], 60
        )
        answer = await call(server, "PUT", "/v1/afar", {"token": afar.lab.token})
        assert answer.status_code == 204, answer.text
        page = await asyncio.to_thread(open_page, afar.lab, "killed.ipynb")
        await all_hold(server, file_id, page, ["x = 100", "y = 'ours'", "m"], path)
        assert sources(await current_notebook(server, file_id)) == await texts(server, file_id)


async def test_a_file_that_is_renamed_replaced_and_deleted_there(
    afar: Afar, open_page: OpenPage
) -> None:
    afar.write("old.ipynb", "x = 1", "y = 2")
    server, root = afar.server, afar.lab.root
    page = await asyncio.to_thread(open_page, afar.lab, "old.ipynb")
    file_id = await open_notebook(server, "old.ipynb")
    async with follow(server, file_id) as client:
        await ask(page, "type 0 0")
        await client.wait_for("new_delta_event")
        await afar.api("PATCH", "contents/old.ipynb", json={"path": "new.ipynb"})
        event = await client.wait_for("file_renamed_event")
        assert event["data"]["path"] == "new.ipynb"
        await client.change("cell_contents", "replace", {"source": "y = 'ours'"}, "c2")
        await all_hold(server, file_id, page, ["x = 10", "y = 'ours'"], root / "new.ipynb")
        assert not (root / "old.ipynb").exists()
        refused = await call(server, "DELETE", f"/v1/files/{file_id}")
        assert "delete it there" in refused.text
        await afar.api("DELETE", "contents/new.ipynb")
        await client.change("cell_contents", "replace", {"source": "y = 'more'"}, "c2")
        event = await client.wait_for(
            "file_state_event", lambda m: m["data"]["state"] in ("failing", "held")
        )
        assert "is not" in event["data"]["reason"], event
        refused = await call(server, "POST", "/v1/files/open", {"path": "new.ipynb"})
        assert refused.status_code == 404
        await asyncio.to_thread(page.leave)
        afar.write("new.ipynb", "another = 1")
        refused = await call(server, "POST", "/v1/files/open", {"path": "new.ipynb"})
        assert "another notebook is there now" in refused.text
    # Nobody is at work with the copy of the old one any more.
    other = await open_notebook(server, "new.ipynb")
    assert other != file_id
    assert await texts(server, other) == ["another = 1"]
    assert await texts(server, file_id) == ["x = 10", "y = 'more'"]


@pytest.mark.browser
async def test_in_a_real_page(afar: Afar, browser: Any) -> None:  # noqa: F811
    """A person types and runs in JupyterLab while we edit and run: one notebook, one kernel."""
    path = afar.write("real.ipynb", "x = 1", "print('six', 6)", "print('page', x)")
    lab, server = afar.lab, afar.server
    file_id = await open_notebook(server, "real.ipynb")
    page = await opened(browser, lab, "real.ipynb")

    async def kernels() -> list[str]:
        return [one["path"] for one in await afar.api("GET", "sessions") if "real" in one["path"]]

    await eventually(kernels, 60)  # the page starts one by itself
    async with follow(server, file_id) as client:
        await launch(server, client)
        await page.click(".jp-Notebook .jp-Cell >> nth=0 >> .cm-content")
        await page.keyboard.press("End")
        typing = asyncio.create_task(page.keyboard.type("  # é😀", delay=60))
        await client.execute("c2")
        await client.finished("c2", 120)
        await client.add("ours", "z = 'ours'", after_id="c3")
        await typing
        wanted = ["x = 1  # é😀", "print('six', 6)", "print('page', x)", "z = 'ours'"]

        async def there() -> bool:
            assert [await text_of(page, n) for n in range(4)] == wanted
            output = page.locator(".jp-Notebook .jp-Cell >> nth=1 >> .jp-OutputArea-output")
            return bool((await output.inner_text()).strip() == "six 6")

        await eventually(there, 60)
        await eventually(lambda: sources(load(path)) == wanted, 60)
        for n in (0, 2):
            await page.click(f".jp-Notebook .jp-Cell >> nth={n} >> .cm-content")
            await page.keyboard.press("Control+Enter")

        async def here() -> bool:
            event = await client.wait_for(
                "update_output_collection_event", lambda m: m["data"]["cell_id"] == "c3", 60
            )
            return "page 1" in str(await get(server, f"/outputs/collection/{event['data']['id']}"))

        await eventually(here, 60)
        assert len(await kernels()) == 1, "they share it"
        ARTEFACTS.mkdir(exist_ok=True)
        await page.screenshot(path=str(ARTEFACTS / "live_document_afar.png"))
    assert not await page.locator(".jp-Dialog").count()


@pytest.fixture
def shell(
    afar: Afar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    with interactive_shell(tmp_path / "ipython") as ip:
        yield Shell(ip, capsys)


def test_from_a_notebook(afar: Afar, shell: Shell) -> None:
    """The address from the page's own bar: one line says which way it goes."""
    path = afar.write("lesson one.ipynb", "x = 6", "print(x * 7)")
    url = afar.lab.url.rstrip("/")
    shell.ip.user_ns["url"] = f"{url}/lab/tree/RTC:lesson%20one.ipynb?token={afar.lab.token}"
    said = shell.ok("%rtu_connect {url} -s a")
    assert (
        f"{url} has no rtu_magics but JupyterLab's live collaboration: joining the notebook that "
        "people have open there; roles bind nobody there, whoever has the page may edit" in said
    )
    assert "connected to lesson one.ipynb as 'a': 2 cells" in said
    assert "42" in shell.ok("%rtu_exec --all")
    assert "already connected to lesson one.ipynb as 'a'" in shell.ok("%rtu_connect {url}")
    shell.ok("%%rtu_add\nprint('added')")
    assert f"lesson one.ipynb at {url}" in shell.ok("%rtu_status --text")
    shell.ok("%rtu_save")
    cells = load(path)["cells"]
    assert [cell["source"] for cell in cells] == [["x = 6"], ["print(x * 7)"], ["print('added')"]]
    assert cells[1]["outputs"][0]["text"] == ["42\n"]

    other = f"{url}/lab/tree/lessen%20one.ipynb?token={afar.lab.token}"
    assert shell.line(f"%rtu_connect {other}") == (
        f"FileUnknown: {url} has no notebook lessen one.ipynb; did you mean lesson one.ipynb?"
    )
    assert not (afar.lab.root / "lessen one.ipynb").exists()
    assert shell.line(f"%rtu_connect {url}/tree/lesson%20one.ipynb?token=wrong -s b") == (
        f"AuthenticationFailed: {url} does not accept the token; check it (RTU_TOKEN, --token), or "
        "get a new one"
    )


PLAY = """import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
nbformat.write(notebook, "played.ipynb")"""


def test_the_shipped_notebook_beside_live_collaboration(afar: Afar, tmp_path: Path) -> None:
    """Elsewhere it is played in an environment without it."""
    shipped = Path(__file__).parents[3] / "notebooks" / "04_join_jupyterlab.ipynb"
    subprocess.run(
        [afar.lab.python, "-c", PLAY, str(shipped)], check=True, cwd=tmp_path, timeout=300
    )
    played = load(tmp_path / "played.ipynb")["cells"]
    for cell in played:
        for text in cell["metadata"].get("shows", []):
            assert text in json.dumps(cell["outputs"], ensure_ascii=False), cell["source"]
    said = json.dumps(played)
    assert "JupyterLab is ready" in said
    assert "has no rtu_magics but JupyterLab's live collaboration" in said
    lesson = load(tmp_path / "lab" / "lesson.ipynb")["cells"]
    assert lesson[-1]["outputs"][0]["text"] == ["forty-five: 45\n"]
