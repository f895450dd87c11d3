"""`APIClient` against answers made by hand."""

import json
from uuid import uuid4

import httpx
import pytest

from rtu_magics.client import APIClient
from rtu_magics.client.http import rtu_url_of
from rtu_magics.errors import (
    APIError,
    AuthenticationFailed,
    FileUnknown,
    KernelUnknown,
    PermissionDenied,
    RTUError,
    TargetError,
)
from rtu_magics.models import CodeCell, Notebook, utcnow

from ...helpers.server import free_port

BASE = "http://server.test/rtu/api"
NOW = utcnow().isoformat()


def resource(**fields):
    return {"id": str(uuid4()), "created_at": NOW, "updated_at": NOW, **fields}


def file_json(**fields):
    return resource(
        filename="x.ipynb",
        path="x.ipynb",
        project_id=str(uuid4()),
        space_id=str(uuid4()),
        type="notebook",
        current_version_id=str(uuid4()),
        presigned_download_url="http://server.test/signed/content?sig=1",
        **fields,
    )


class Server:
    """Answers by method and path; keeps the requests."""

    def __init__(self):
        self.answers = {}
        self.requests = []

    def on(self, method, path, answer=None, status=200, **options):
        if not isinstance(answer, httpx.Response):
            options = options or {"json": answer}
            answer = httpx.Response(status, **options)
        self.answers[method, path] = answer

    def __call__(self, request):
        self.requests.append(request)
        path = request.url.path.removeprefix("/rtu/api")
        return self.answers[request.method, path]

    @property
    def bodies(self):
        return [json.loads(r.content) for r in self.requests if r.content]


@pytest.fixture
def server():
    return Server()


@pytest.fixture
async def api(server):
    async with APIClient("secret", BASE, transport=httpx.MockTransport(server)) as client:
        yield client


async def test_the_token_goes_to_the_api_and_not_to_signed_links(api, server):
    file = file_json()
    server.on("GET", f"/v1/files/{file['id']}", file)
    server.on("GET", "/signed/content", content=b"data")
    assert await api.get_file_content(file["id"]) == b"data"
    first, second = server.requests
    assert first.headers["authorization"] == "Bearer secret"
    assert "authorization" not in second.headers
    assert str(second.url) == file["presigned_download_url"]


async def test_spaces_and_projects(api, server):
    space = resource(name="s")
    project = resource(name="p", space_id=space["id"])
    server.on("POST", "/spaces", space)
    server.on("GET", f"/spaces/{space['id']}", space)
    server.on("DELETE", f"/spaces/{space['id']}", status=204, content=b"")
    server.on("GET", f"/spaces/{space['id']}/projects", [project])
    server.on("POST", "/projects", project)
    server.on("GET", f"/projects/{project['id']}", project)
    server.on("DELETE", f"/projects/{project['id']}", {**project, "deleted_at": NOW})
    server.on("GET", f"/projects/{project['id']}/files", [])
    created = await api.create_space("s")
    assert (await api.get_space(created.id)).name == "s"
    assert [p.name for p in await api.list_space_projects(created.id)] == ["p"]
    made = await api.create_project(created.id, "p", "text")
    assert (await api.get_project(made.id)).space_id == created.id
    assert await api.list_project_files(made.id) == []
    assert (await api.delete_project(made.id)).deleted_at is not None
    await api.delete_space(created.id)
    assert server.bodies == [
        {"name": "s", "description": None},
        {
            "space_id": space["id"],
            "name": "p",
            "description": "text",
            "with_empty_notebook": False,
            "creator_client_type": "rtu_magics",
        },
    ]


@pytest.mark.parametrize("kind", ["notebook", "file"])
async def test_an_upload_takes_three_calls(api, server, kind):
    upload = {
        "upload_id": "u",
        "key": "k",
        "parts": [{"upload_url": "http://server.test/signed/put?sig=2"}],
    }
    file = file_json()
    server.on("POST", "/v1/files", {**file, "presigned_upload_url_info": upload})
    server.on("PUT", "/signed/put", content=b"", headers={"ETag": '"abc"'})
    server.on("POST", f"/v1/files/{file['id']}/complete-upload", status=204, content=b"")
    server.on("GET", f"/v1/files/{file['id']}", file)
    if kind == "notebook":
        notebook = Notebook(cells=[CodeCell(id="a")])
        made = await api.create_notebook(uuid4(), "x.ipynb", notebook)
        assert json.loads(server.requests[1].content)["cells"][0]["id"] == "a"
    else:
        made = await api.create_file(uuid4(), "x.csv", b"1,2")
        assert server.requests[1].content == b"1,2"
    assert str(made.id) == file["id"]
    assert json.loads(server.requests[0].content)["type"] == kind
    assert "authorization" not in server.requests[1].headers
    assert json.loads(server.requests[2].content) == {
        "upload_id": "u",
        "key": "k",
        "parts": [{"etag": '"abc"', "part_number": 1}],
    }


async def test_files_and_versions(api, server):
    file = file_json()
    version = resource(
        number=0,
        file_id=file["id"],
        project_id=file["project_id"],
        space_id=file["space_id"],
        content_presigned_url="http://x",
    )
    path = f"/v1/files/{file['id']}"
    server.on("POST", "/v1/files/open", file)
    server.on("GET", "/v1/files", [{**file, "presigned_download_url": None}])
    server.on("POST", f"{path}/save", {"path": "x.ipynb", "saved_at": NOW})
    server.on("GET", f"/files/{file['id']}/versions", [version])
    server.on("POST", f"{path}/versions", version, status=201)
    server.on("DELETE", path, {**file, "deleted_at": NOW})
    opened = await api.open_file("x.ipynb", create=True)
    assert [f.path for f in await api.list_notebooks()] == ["x.ipynb"]
    assert (await api.save_file(opened.id))["path"] == "x.ipynb"
    assert [v.number for v in await api.get_file_versions(opened.id)] == [0]
    assert (await api.create_version(opened.id, "named")).number == 0
    assert (await api.delete_file(opened.id)).deleted_at is not None
    assert server.bodies[0] == {"path": "x.ipynb", "create": True}
    assert server.bodies[-1] == {"name": "named"}


async def test_kernels_and_outputs(api, server):
    file_id, session_id, collection_id = uuid4(), uuid4(), uuid4()
    kernel = {"name": "python3", "execution_state": "starting", "last_activity": None}
    status = {"session_id": str(session_id), "kernel": kernel}
    server.on("POST", "/v1/sessions", {"id": str(session_id), "kernel": kernel}, status=201)
    server.on("GET", f"/v1/files/{file_id}/session", status)
    server.on("GET", "/v1/kernelspecs", {"default": "python3", "kernelspecs": {}})
    server.on("POST", f"/v1/sessions/{session_id}/interrupt", status=204, content=b"")
    server.on("POST", f"/v1/sessions/{session_id}/restart", status, 202)
    server.on("DELETE", f"/sessions/{session_id}", status=204, content=b"")
    collection = resource(id=str(collection_id), file_id=str(file_id), cell_id="a", outputs=[])
    server.on("GET", f"/outputs/collection/{collection_id}", collection)
    server.on("GET", f"/v1/datasources/by_notebook/{file_id}", [])
    launched = await api.launch_kernel(file_id, "python3")
    assert launched.id == session_id
    assert (await api.get_session(file_id)).session_id == session_id
    assert (await api.get_kernelspecs())["default"] == "python3"
    await api.interrupt_kernel(session_id)
    assert (await api.restart_kernel(session_id)).kernel.name == "python3"
    assert (await api.get_output_collection(collection_id)).outputs == []
    assert await api.get_datasources_for_notebook(file_id) == []
    await api.shutdown_kernel(session_id)
    assert server.requests[-1].extensions["timeout"]["read"] == 60
    server.on("GET", f"/v1/files/{file_id}/session", content=b"null")
    assert await api.get_session(file_id) is None


async def test_sharing(api, server):
    file_id, one, two = uuid4(), uuid4(), uuid4()
    server.on(
        "GET",
        f"/files/{file_id}/shareable-users",
        {"data": [{"id": str(one)}, {"id": str(two)}]},
    )
    server.on("PUT", f"/files/{file_id}/users", {})
    for person in (one, two):
        server.on("DELETE", f"/files/{file_id}/users/{person}", status=204, content=b"")
    server.on("PATCH", f"/files/{file_id}", {"ok": True})
    assert await api.share_file(file_id, "ada@x.test", "viewer") == 2
    assert server.requests[0].url.params["q"] == "ada@x.test"
    assert server.bodies == [
        {"access_level": "role:viewer", "user_id": str(one)},
        {"access_level": "role:viewer", "user_id": str(two)},
    ]
    assert await api.unshare_file(file_id, "ada@x.test") == 2
    assert await api.change_file_visibility(file_id, "public", "viewer") == {"ok": True}
    assert server.bodies[-1] == {
        "visibility": "public",
        "visibility_default_access_level": "role:viewer",
    }


@pytest.mark.parametrize("kind", ["space", "project"])
async def test_sharing_other_things(api, server, kind):
    thing, person = uuid4(), uuid4()
    base = f"/{kind}s/{thing}"
    server.on("GET", f"{base}/shareable-users", {"data": [{"id": str(person)}]})
    server.on("PUT", f"{base}/users", {})
    server.on("DELETE", f"{base}/users/{person}", status=204, content=b"")
    server.on("PATCH", base, {})
    assert await getattr(api, f"share_{kind}")(thing, "x", "role:owner") == 1
    assert await getattr(api, f"unshare_{kind}")(thing, "x") == 1
    assert await getattr(api, f"change_{kind}_visibility")(thing, "private") == {}


async def failure(awaitable):
    with pytest.raises(RTUError) as caught:
        await awaitable
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    return caught.value


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "kind", "text"),
        [
            (400, APIError, "the path leaves the directory"),
            (401, AuthenticationFailed, "the path leaves the directory: check the token"),
            (403, PermissionDenied, "the path leaves the directory"),
            (404, FileUnknown, "the path leaves the directory"),
            (422, APIError, "the path leaves the directory"),
            (500, APIError, "the path leaves the directory"),
        ],
    )
    async def test_the_servers_own_words(self, api, server, status, kind, text):
        server.on("POST", "/v1/files/open", {"message": "the path\n leaves the directory"}, status)
        error = await failure(api.open_file("../x"))
        assert type(error) is kind
        assert str(error).startswith(text)
        if isinstance(error, APIError):
            assert error.status == status

    @pytest.mark.parametrize(
        ("status", "kind", "text"),
        [
            (302, APIError, "wants to redirect"),
            (401, AuthenticationFailed, "does not accept the token"),
            (403, PermissionDenied, "does not allow GET /users/me"),
            (404, APIError, "nothing there at http://server.test/rtu/api/users/me (HTTP 404)"),
            (418, APIError, "refused GET /users/me (HTTP 418)"),
            (502, APIError, "has a problem (HTTP 502 for GET /users/me): try again later"),
        ],
    )
    async def test_a_server_without_words(self, api, server, status, kind, text):
        server.on("GET", "/users/me", status=status, content=b"<html>no</html>")
        error = await failure(api.user_info())
        assert type(error) is kind
        assert text in str(error)

    @pytest.mark.parametrize(
        "content", [b"<html>hello</html>", b"", b"{}", b"[]", b'"x"', b"\xff\xfe"]
    )
    async def test_an_answer_that_is_not_rtu(self, api, server, content):
        headers = {"content-type": "text/html; charset=utf-8"}
        server.on("GET", "/users/me", content=content, headers=headers)
        error = await failure(api.user_info())
        assert type(error) is APIError
        assert str(error) == (
            "http://server.test/rtu/api answered GET /users/me with something else than RTU "
            "(text/html): check the address, or update the older of the two sides"
        )

    async def test_an_unknown_file_without_words(self, api, server):
        file_id = uuid4()
        server.on("GET", f"/v1/files/{file_id}", {}, 404)
        error = await failure(api.get_file(file_id))
        assert type(error) is FileUnknown
        assert "no such notebook" in str(error)

    async def test_an_unknown_kernel(self, api, server):
        text = "no kernel named 'x'; installed: python3"
        said = {"message": text, "reason": "kernel_unknown"}
        server.on("POST", "/v1/sessions", said, 422)
        error = await failure(api.launch_kernel(uuid4(), "x"))
        assert type(error) is KernelUnknown
        assert str(error) == text

    async def test_other_refusals_to_launch(self, api, server):
        server.on("POST", "/v1/sessions", {"message": "full"}, 503)
        assert type(await failure(api.launch_kernel(uuid4()))) is APIError

    @pytest.mark.parametrize("reason", [{}, {"reason": None}, {"reason": 7}, {"reason": "newer"}])
    async def test_words_decide_nothing(self, api, server, reason):
        said = {"message": "kernel_config.kernel_name is no text", **reason}
        server.on("POST", "/v1/sessions", said, 422)
        error = await failure(api.launch_kernel(uuid4()))
        assert type(error) is APIError
        assert str(error) == said["message"]

    @pytest.mark.parametrize(
        ("exc", "text"),
        [
            (
                httpx.ConnectError("All connection attempts failed"),
                "nothing listens at server.test:80",
            ),
            (httpx.ConnectError("[Errno -2] Name or service not known"), "host server.test is unk"),
            (httpx.ConnectError("[SSL: WRONG_VERSION] wrong"), "no secure connection to"),
            (httpx.ConnectError("odd"), "no connection to server.test:80 (odd)"),
            (httpx.ReadTimeout("x"), "no answer from http://server.test/rtu/api/users/me within"),
            (httpx.RemoteProtocolError("illegal\nstatus line"), "does not answer in HTTP"),
        ],
    )
    async def test_the_network(self, exc, text):
        def fail(request):
            raise exc

        api = APIClient("secret", BASE, transport=httpx.MockTransport(fail))
        error = await failure(api.user_info())
        assert type(error) is APIError
        assert text in str(error)
        await api.aclose()

    async def test_really_nothing_there(self):
        port = free_port()
        async with APIClient("secret", f"http://127.0.0.1:{port}/rtu/api") as api:
            error = await failure(api.info())
        assert str(error) == (
            f"nothing listens at 127.0.0.1:{port}: is the server running, and is the port right?"
        )

    async def test_an_upload_without_an_address(self, api, server):
        server.on("POST", "/v1/files", file_json())
        assert "no address for its content" in str(
            await failure(api.create_file(uuid4(), "x", b""))
        )


class TestLoading:
    async def load(self, api, server, content, **fields):
        file = {**file_json(), **fields}
        server.on("GET", f"/v1/files/{file['id']}", file)
        server.on("GET", "/signed/content", content=content)
        return file, await api.load_notebook(file["id"])

    async def test_a_notebook(self, api, server):
        content = Notebook(cells=[CodeCell(id="a")]).model_dump_json().encode()
        file, (version_id, builder) = await self.load(api, server, content)
        assert str(version_id) == file["current_version_id"]
        assert builder.cell_ids == ["a"]

    async def test_no_notebook(self, api, server):
        error = await failure(self.load(api, server, b"hello"))
        assert "is not a notebook" in str(error)

    async def test_no_version(self, api, server):
        error = await failure(self.load(api, server, b"", current_version_id=None))
        assert "no saved version" in str(error)

    async def test_no_link(self, api, server):
        error = await failure(self.load(api, server, b"", presigned_download_url=None))
        assert "no link to the content" in str(error)


class TestSettings:
    def test_arguments_win_over_the_environment(self, monkeypatch):
        monkeypatch.setenv("RTU_TOKEN", "env")
        monkeypatch.setenv("RTU_API_URL", "http://env/rtu/api")
        api = APIClient()
        assert (api.authorization_token, api.api_base_url) == ("env", "http://env/rtu/api")
        api = APIClient("arg", "http://arg/api/")
        assert (api.authorization_token, api.api_base_url) == ("arg", "http://arg/api")

    def test_missing_ones(self, monkeypatch):
        monkeypatch.delenv("RTU_TOKEN", raising=False)
        monkeypatch.delenv("RTU_API_URL", raising=False)
        with pytest.raises(AuthenticationFailed, match="set RTU_TOKEN"):
            APIClient(api_base_url=BASE)
        with pytest.raises(TargetError, match="set RTU_API_URL"):
            APIClient("secret")

    @pytest.mark.parametrize("url", ["", " ", "server.test", "ftp://x", "http://", "http://x:y/"])
    def test_no_address(self, url, monkeypatch):
        monkeypatch.delenv("RTU_API_URL", raising=False)
        with pytest.raises(TargetError):
            APIClient("secret", url)

    @pytest.mark.parametrize(
        ("base", "rtu"),
        [
            ("http://server.test/rtu/api", "ws://server.test/rtu/api/v1/rtu"),
            ("https://server.test:8443/x/rtu/api///", "wss://server.test:8443/x/rtu/api/v1/rtu"),
            ("http://http.test/http/api?token=x#y", "ws://http.test/http/api/v1/rtu"),
            ("http://[::1]:80/api", "ws://[::1]:80/api/v1/rtu"),
        ],
    )
    def test_the_websocket_address(self, base, rtu):
        assert rtu_url_of(base) == rtu
        assert APIClient("secret", base).rtu_url == rtu

    def test_the_websocket_address_can_be_given(self):
        assert APIClient("secret", BASE, rtu_url="ws://other/x").rtu_url == "ws://other/x"

    async def test_a_proxy_in_the_environment_is_not_asked_for_this_machine(self, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        api = APIClient("secret", "http://127.0.0.1:1/rtu/api")
        assert "nothing listens at 127.0.0.1:1" in str(await failure(api.info()))
        await api.aclose()
