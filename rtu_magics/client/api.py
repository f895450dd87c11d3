"""`APIClient`: the REST side of an RTU server."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from typing_extensions import Self

from ..document import NotebookBuilder
from ..errors import APIError, AuthenticationFailed, FileUnknown, KernelUnknown, TargetError
from ..models import (
    File,
    KernelSession,
    KernelStatusUpdate,
    OutputCollection,
    Project,
    RefusalReason,
    ServerInfo,
    Space,
    User,
    parse_notebook,
)
from ..transport.tls import client_context
from .files_api import FileCalls
from .history_api import HistoryCalls
from .http import RestClient, rtu_url_of
from .invites import InviteCalls
from .rtu import RTUClient
from .run_calls import RunCalls
from .shares import Sharing

if TYPE_CHECKING:
    import httpx

    from ..transport import Connect, Connection

__all__ = ["APIClient"]

_USER: TypeAdapter[User] = TypeAdapter(User)
_SPACE: TypeAdapter[Space] = TypeAdapter(Space)
_PROJECT: TypeAdapter[Project] = TypeAdapter(Project)
_PROJECTS: TypeAdapter[list[Project]] = TypeAdapter(list[Project])
_KERNEL: TypeAdapter[KernelSession] = TypeAdapter(KernelSession)
_STATUS: TypeAdapter[KernelStatusUpdate | None] = TypeAdapter(KernelStatusUpdate | None)
_COLLECTION: TypeAdapter[OutputCollection] = TypeAdapter(OutputCollection)
_INFO: TypeAdapter[ServerInfo] = TypeAdapter(ServerInfo)
_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])

_SHUTDOWN_TIMEOUT = 60.0  # seconds: the server answers when the kernel has gone


def _connecting(cafile: str | None) -> Connect | None:
    """Return the way to open connections that trusts one more authority; None is the usual way."""
    if cafile is None:
        return None
    client_context(cafile)  # says now what is wrong with the file

    async def connect(url: str) -> Connection:
        from ..transport.websocket import connect  # heavy, so it loads with the first connection

        return await connect(url, cafile=cafile)

    return connect


class APIClient(FileCalls, HistoryCalls, InviteCalls, RunCalls, Sharing):
    """The REST API of an RTU server, call by call.

    Parameters
    ----------
    authorization_token
        The token; ``RTU_TOKEN`` from the environment by default.
    api_base_url
        The base of the API, such as ``https://lab.example/rtu/api``; ``RTU_API_URL`` from the
        environment by default.
    creator_client_type
        What kind of program this is, for the server.
    timeout
        Seconds until a call is given up.
    rtu_url
        The websocket endpoint, if it is not below `api_base_url`.
    transport, connect
        An httpx transport and a way to open connections, for tests.
    cafile
        The certificate of an authority to trust besides the usual ones, in PEM; for servers with a
        certificate of their own.
    user_name
        What somebody with an owner's token wants to be called; whoever has an invitation, or an
        account, is called what that says.

    Raises
    ------
    AuthenticationFailed
        There is no token.
    TargetError
        There is no base URL, or it is none.

    Notes
    -----
    Every call raises `AuthenticationFailed`, `PermissionDenied`, or `APIError` with the server's
    own words; `FileUnknown` where it has no such notebook.

    Examples
    --------
    ::

        async with APIClient("my token", "http://127.0.0.1:8888/rtu/api") as api:
            file = await api.open_file("lesson.ipynb")
            client = await api.connect_realtime(file)
    """

    def __init__(
        self,
        authorization_token: str | None = None,
        api_base_url: str | None = None,
        creator_client_type: str = "rtu_magics",
        *,
        timeout: float = 10.0,
        rtu_url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        connect: Connect | None = None,
        cafile: str | None = None,
        user_name: str | None = None,
    ) -> None:
        token = authorization_token or os.environ.get("RTU_TOKEN")
        base_url = api_base_url or os.environ.get("RTU_API_URL")
        if not token:
            raise AuthenticationFailed("no token: give authorization_token, or set RTU_TOKEN")
        if not base_url:
            raise TargetError("no server: give api_base_url, or set RTU_API_URL")
        self.authorization_token = token
        self.creator_client_type = creator_client_type
        self.rest = RestClient(
            base_url, token, timeout, transport, cafile=cafile, user_name=user_name
        )
        self.api_base_url = self.rest.base_url
        self.rtu_url = rtu_url or rtu_url_of(self.api_base_url)
        self.cafile = cafile
        self.user_name = user_name
        self.connect = connect or _connecting(cafile)

    async def aclose(self) -> None:
        """Close the kept connections."""
        await self.rest.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # People, spaces, projects

    async def info(self) -> ServerInfo:
        """Return what the server says about itself."""
        return await self.rest.call(_INFO, "GET", "/info")

    async def user_info(self) -> User:
        """Return who the token belongs to."""
        return await self.rest.call(_USER, "GET", "/users/me")

    async def create_space(self, name: str, description: str | None = None) -> Space:
        """Create a space."""
        body = {"name": name, "description": description}
        return await self.rest.call(_SPACE, "POST", "/spaces", json=body)

    async def get_space(self, space_id: UUID) -> Space:
        """Return a space."""
        return await self.rest.call(_SPACE, "GET", f"/spaces/{space_id}")

    async def delete_space(self, space_id: UUID) -> None:
        """Delete a space."""
        await self.rest.request("DELETE", f"/spaces/{space_id}")

    async def list_space_projects(self, space_id: UUID) -> list[Project]:
        """Return the projects of a space."""
        return await self.rest.call(_PROJECTS, "GET", f"/spaces/{space_id}/projects")

    async def create_project(
        self, space_id: UUID, name: str, description: str | None = None
    ) -> Project:
        """Create a project in a space."""
        body = {
            "space_id": str(space_id),
            "name": name,
            "description": description,
            "with_empty_notebook": False,
            "creator_client_type": self.creator_client_type,
        }
        return await self.rest.call(_PROJECT, "POST", "/projects", json=body)

    async def get_project(self, project_id: UUID) -> Project:
        """Return a project."""
        return await self.rest.call(_PROJECT, "GET", f"/projects/{project_id}")

    async def delete_project(self, project_id: UUID) -> Project:
        """Delete a project; return it as it then is."""
        return await self.rest.call(_PROJECT, "DELETE", f"/projects/{project_id}")

    # Kernels and outputs

    async def get_kernelspecs(self) -> dict[str, Any]:
        """Return ``{"default": name, "kernelspecs": {name: {"display_name", "language"}}}``."""
        return await self.rest.call(_OBJECT, "GET", "/v1/kernelspecs")

    async def get_session(self, file_id: UUID) -> KernelStatusUpdate | None:
        """Return the state of a notebook's kernel, None when it has none."""
        return await self.rest.call(
            _STATUS, "GET", f"/v1/files/{file_id}/session", unknown=FileUnknown
        )

    async def launch_kernel(
        self, file_id: UUID, kernel_name: str | None = None, hardware_size: str | None = None
    ) -> KernelSession:
        """Start a notebook's kernel, or return the one that runs.

        Parameters
        ----------
        file_id
            The notebook.
        kernel_name
            Name of the kernelspec; by default the notebook's own, or else the server's default.
        hardware_size
            For servers that offer a choice.

        Raises
        ------
        KernelUnknown
            No kernel of that name is installed there.
        """
        config = {"kernel_name": kernel_name, "hardware_size_identifier": hardware_size}
        body = {"file_id": str(file_id), "kernel_config": config}
        try:
            return await self.rest.call(
                _KERNEL, "POST", "/v1/sessions", json=body, unknown=FileUnknown
            )
        except APIError as exc:
            if exc.reason == RefusalReason.KERNEL_UNKNOWN:
                raise KernelUnknown(str(exc)) from exc
            raise

    async def shutdown_kernel(self, session_id: UUID) -> None:
        """End a kernel."""
        await self.rest.request("DELETE", f"/sessions/{session_id}", timeout=_SHUTDOWN_TIMEOUT)

    async def interrupt_kernel(self, session_id: UUID, whose: str | None = None) -> str:
        """Interrupt what a kernel runs; returns what was done, in one line.

        Parameters
        ----------
        session_id
            The kernel session.
        whose
            ``mine`` ends all that this person asked for, running and waiting; ``all`` everybody's,
            which is for owners; None only interrupts the cell that runs.
        """
        path = f"/v1/sessions/{session_id}/interrupt"
        if whose is None:
            await self.rest.request("POST", path)
            return "interrupt sent"
        response = await self.rest.request("POST", path, json={"whose": whose})
        content = response.json() if response.content else {}  # nothing from an older server
        return str(content.get("message", "interrupt sent"))

    async def restart_kernel(self, session_id: UUID) -> KernelStatusUpdate | None:
        """Restart a kernel; its state then arrives as events."""
        return await self.rest.call(
            _STATUS, "POST", f"/v1/sessions/{session_id}/restart", timeout=_SHUTDOWN_TIMEOUT
        )

    async def get_output_collection(self, output_collection_id: UUID | str) -> OutputCollection:
        """Return the outputs of one run of a cell."""
        return await self.rest.call(
            _COLLECTION, "GET", f"/outputs/collection/{output_collection_id}"
        )

    # Real time

    async def load_notebook(self, file_id: UUID) -> tuple[UUID, NotebookBuilder]:
        """Load a notebook's current version; return the version's id and a builder that holds it.

        Raises
        ------
        FileUnknown
            The server has no such notebook.
        APIError
            It has no saved version, or its content is no notebook.
        """
        file = await self.get_file(file_id)
        if file.current_version_id is None:
            raise APIError(f"{file.path} has no saved version yet: save it, then connect again")
        content = await self._download(file)
        try:
            builder = NotebookBuilder(parse_notebook(content))
        except ValidationError as exc:
            raise APIError(
                f"the content of {file.path} is not a notebook: check that it is one of format 4"
            ) from exc
        return file.current_version_id, builder

    async def connect_realtime(
        self,
        file: File | UUID | str,
        *,
        timeout: float | None = 20.0,
        rtu_client_type: str | None = None,
    ) -> RTUClient:
        """Return a live copy of a notebook, caught up.

        Parameters
        ----------
        file
            The notebook or its id.
        timeout
            Seconds until it has to be ready.
        rtu_client_type
            What kind of program this is, if other than `creator_client_type`.

        Raises
        ------
        FileUnknown, PermissionDenied, AuthenticationFailed
            The server says so.
        ConnectFailed, ConnectionLost, SubscribeTimeout
            The connection cannot be made.
        """
        file_id = file.id if isinstance(file, File) else UUID(str(file))
        version_id, builder = await self.load_notebook(file_id)

        async def reload() -> tuple[UUID, NotebookBuilder]:
            return await self.load_notebook(file_id)

        client = RTUClient(
            self.rtu_url,
            self.authorization_token,
            file_id,
            version_id,
            builder,
            rtu_client_type or self.creator_client_type,
            reload_hook=reload,
            connect=self.connect,
        )
        client.user_name = self.user_name
        await client.initialize()
        try:
            await client.wait_ready(timeout)
        except BaseException:
            await client.shutdown(now=True)
            raise
        return client
