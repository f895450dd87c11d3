"""A space with a project with a notebook, the people invited to it, and requests about it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from ...helpers.rtu import call, get, post
from ...helpers.server import RunningServer
from .table import ASKERS

INVITED = {
    "viewer": "viewer",
    "executor": "executor",
    "contributor": "contributor",
    "co-owner": "owner",
    "spare": "viewer",
}


@dataclass
class Scene:
    """One notebook of its own, and a token for everybody who asks about it."""

    server: RunningServer
    ids: dict[str, str]
    path: str
    tokens: dict[str, str | None]
    links: dict[str, str] = field(default_factory=dict)

    @property
    def file_id(self) -> str:
        return self.ids["files"]

    @classmethod
    async def make(cls, server: RunningServer) -> Scene:
        name = f"p{secrets.token_hex(4)}"
        space = await post(server, "/spaces", {"name": name})
        project = await post(server, "/projects", {"name": name, "space_id": space["id"]})
        path = f"{name}/lesson.ipynb"
        file = await post(server, "/v1/files/open", {"path": path, "create": True})
        elsewhere = await post(server, "/v1/files/open", {"path": f"{name}.ipynb", "create": True})
        tokens: dict[str, str | None] = {"nobody": None, "owner": server.token}
        ids = {
            "spaces": space["id"],
            "projects": project["id"],
            "files": file["id"],
            "by_notebook": file["id"],
            "versions": file["current_version_id"],
            "f": file["id"],
            "leases": str(uuid4()),
        }
        invite = await post(server, f"/v1/files/{elsewhere['id']}/invites", {"role": "owner"})
        tokens["stranger"] = invite["token"]
        for asker, role in INVITED.items():
            invite = await post(server, f"/v1/files/{file['id']}/invites", {"role": role})
            tokens[asker] = invite["token"]
        ids["invites"] = invite["id"]
        people = await get(server, f"/v1/files/{file['id']}/people")
        ids["users"] = next(one["user_id"] for one in people if one["invite_id"] == invite["id"])
        found = cls(server, ids, path, tokens)
        found.links["versions"] = file["presigned_download_url"]
        return found

    async def prepare(self, method: str, pattern: str) -> None:
        """Make what a request is about, as far as it is not there yet or not there any more."""
        if "/sessions/{}" in pattern:
            await self.launch()
        if pattern.endswith("/users/{}"):
            kind = pattern.split("/")[1]
            body = {"user_id": self.ids["users"], "access_level": "role:viewer"}
            await call(self.server, "PUT", f"/{kind}/{self.ids[kind]}/users", body)
        if pattern.startswith(("/v1/uploads", "/v1/files/{}/content")):
            await self.upload(complete="content" in pattern)
        if pattern.startswith("/v1/leases/"):
            lease = await post(self.server, "/v1/leases", {"pid": self.server.process.pid})
            self.ids["leases"] = lease["lease_id"]
        if "/outputs/" in pattern:
            await self.run()

    async def launch(self) -> None:
        """See to it that the notebook's kernel runs."""
        await post(self.server, "/v1/sessions", {"file_id": self.file_id})
        while True:
            status = await get(self.server, f"/v1/files/{self.file_id}/session")
            if status and status["kernel"]["execution_state"] == "idle":
                self.ids["sessions"] = status["session_id"]
                return

    async def upload(self, complete: bool) -> None:
        body = {
            "project_id": self.ids["projects"],
            "path": f"{secrets.token_hex(4)}.txt",
            "type": "file",
        }
        file = await post(self.server, "/v1/files", body)
        info = file["presigned_upload_url_info"]
        self.links["uploads"] = info["parts"][0]["upload_url"]
        if not complete:
            return
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            etag = (await http.put(self.links["uploads"], content=b"text")).headers["ETag"]
        parts = [{"etag": etag, "part_number": 1}]
        done = {"upload_id": info["upload_id"], "key": info["key"], "parts": parts}
        await call(self.server, "POST", f"/v1/files/{file['id']}/complete-upload", done)
        found = await get(self.server, f"/v1/files/{file['id']}")
        self.links["files"] = found["presigned_download_url"]

    async def run(self) -> None:
        """Run a cell that shows a picture, once."""
        if "collection" in self.ids:
            return
        from ...helpers.rtu import follow

        picture = "display({'image/png': 'iVBORw0KGgo=', 'text/plain': 'x'}, raw=True)"
        async with follow(self.server, self.file_id) as client:
            await self.launch()
            await client.add("shown", picture)
            await client.execute("shown")
            output = await client.wait_for("append_output_event")
            await client.finished("shown")
        self.ids["collection"] = output["data"]["parent_collection_id"]
        self.links["outputs"] = output["data"]["content"]["url"]

    def url(self, pattern: str) -> str:
        """Return the address for a path with ``{}`` in it: what varies follows what it is of."""
        kind = pattern.split("/")[-2] if pattern.endswith("/content") else ""
        kind = pattern.split("/")[-3] if pattern.endswith("{}/content") else kind
        if pattern.startswith("/v1/uploads"):
            kind = "uploads"
        if kind:
            return self.links[kind]
        path = pattern
        while "{}" in path:
            before = re.search(r"([\w-]+)/\{\}", path)
            assert before is not None, path
            path = path.replace("{}", self.ids[before[1]], 1)
        if path.startswith("/rtu/"):
            return self.server.url.rstrip("/") + path
        if path.endswith("shareable-users"):
            path += "?q=somebody"
        return self.server.api_url + path

    def body(self, method: str, pattern: str) -> Any:
        """Return a body that is valid for a route, None where it takes none."""
        sharing = {"user_id": self.ids["users"], "access_level": "role:viewer"}
        new = f"{secrets.token_hex(4)}.ipynb"
        return {
            "POST /spaces": {"name": "another"},
            "POST /projects": {"name": "another", "space_id": self.ids["spaces"]},
            "POST /v1/files": {
                "project_id": self.ids["projects"],
                "path": new,
                "type": "notebook",
            },
            "POST /v1/files/open": {"path": self.path},
            "POST /v1/files/{}/rename": {"path": f"{self.path.split('/')[0]}/{new}"},
            "POST /v1/files/{}/invites": {"role": "viewer"},
            "PATCH /v1/files/{}/invites/{}": {"role": "executor"},
            "PUT /v1/afar": {"token": "another"},
            "POST /v1/sessions": {"file_id": self.file_id},
            "POST /v1/leases": {"pid": self.server.process.pid},
            "POST /v1/files/{}/clear-outputs": {"cell_ids": None},
            **{f"PUT /{kind}/{{}}/users": sharing for kind in ("spaces", "projects", "files")},
            **{
                f"PATCH /{kind}/{{}}": {"visibility": "private"}
                for kind in ("spaces", "projects", "files")
            },
        }.get(f"{method} {pattern}", {} if method == "POST" else None)


assert {*INVITED} - {"spare"} < {*ASKERS}
