"""The Jupyter Server extension: wires store, service and handlers into a running server."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from traitlets import Bool, Dict, Enum, Float, Instance, Int, TraitError, Unicode, default, validate

from ..mounts import network_file_system
from .access.hub import Hub
from .access.people import People
from .access.roles import role_of_level
from .afar import parts as afar
from .bridge.bridges import DOCUMENT_EVENTS, Bridges
from .file.holders import Holders
from .file.trust import Notary
from .http import routes
from .http.page_contents import PATTERN, PageContentsHandler
from .http.page_saves import PageSaves
from .http.websocket import RTUWebSocket
from .kernel.sessions import KernelSessions
from .limits.settings import LIMITS_ENV, Limits, WrongLimit
from .outputs.truncation import DEFAULT_LIMIT
from .process.address import AddressFile, local_url
from .process.directory_lock import DirectoryLock
from .process.leases import Leases
from .service import STATE_DIR, Service
from .store import Database
from .store.place import place_of
from .upkeep.activity import Activity
from .upkeep.orphans import GRACE

__all__ = ["RTUMagicsServer"]

_KERNEL_END = 1.0  # seconds until a kernel that does not end by itself is killed


def _pages(apps: Any) -> str:
    if "jupyter_server_ydoc" in apps or "jupyter_server_documents" in apps:
        return "live"
    return "plain" if "jupyterlab" in apps or "notebook" in apps else ""


class RTUMagicsServer(ExtensionApp):
    """Live notebooks for remote magics and widgets, under ``/rtu`` of a Jupyter Server."""

    name = "rtu_magics.server"
    load_other_extensions = True

    lease = Bool(
        False,
        help="End the server shortly after the last program that needs it has ended.",
    ).tag(config=True)

    durability = Enum(
        ["NORMAL", "FULL"],
        default_value="NORMAL",
        help="What an accepted change survives: NORMAL the death of the server, FULL a power cut.",
    ).tag(config=True)

    database_dir = Unicode(
        help=(
            "Where the database lies, with the outputs of runs and long texts: each served folder "
            "gets a folder of its own there. By default beside the notebooks, in .rtu_magics; on a "
            "network file system a local disk is faster and safer. The environment variable "
            "RTU_DATABASE_DIR sets it, too."
        ),
    ).tag(config=True)

    @default("database_dir")
    def _default_database_dir(self) -> str:
        return os.environ.get("RTU_DATABASE_DIR", "")

    hub_role = Enum(
        ["none", "viewer", "executor", "contributor", "owner"],
        default_value="viewer",
        help="What other users of a JupyterHub are who may access this server.",
    ).tag(config=True)

    hub_ask_every = Int(
        30,
        min=1,
        help="Seconds after which a JupyterHub is asked again whether it still lets somebody in.",
    ).tag(config=True)

    max_output_text = Int(
        min=20_000,
        help=(
            "Characters of text that one run shows before its middle is left out; all of it stands "
            "behind a link. The environment variable RTU_MAX_OUTPUT_TEXT sets it, too."
        ),
    ).tag(config=True)

    @default("max_output_text")
    def _default_max_output_text(self) -> int:
        given = os.environ.get("RTU_MAX_OUTPUT_TEXT", "")
        return max(20_000, int(given)) if given.isdecimal() else DEFAULT_LIMIT

    limits = Dict(
        help=(
            "How much one person, one address and one notebook may take, by name; see the table in "
            "the README. The environment variable RTU_LIMITS (NAME=NUMBER, comma-separated) sets "
            "it, too."
        ),
    ).tag(config=True)

    live_documents = Bool(
        True,
        help=(
            "Whether a notebook that JupyterLab has open with live collaboration is one notebook "
            "with ours. If not, edits made here are kept in the database until it is closed there."
        ),
    ).tag(config=True)

    afar = Unicode(
        help=(
            "The base URL of a Jupyter Server with live collaboration on which the notebooks of "
            "this server live; its kernels are reached by GatewayClient's settings."
        ),
    ).tag(config=True)

    page_saves = Bool(
        True,
        help=(
            "Whether what a page of JupyterLab without live collaboration saves is put together "
            "with what others did to the notebook meanwhile. If not, it asks which side counts."
        ),
    ).tag(config=True)

    deleted_kernel_grace = Float(
        GRACE,
        help=(
            "Seconds until the kernel of a notebook whose file was deleted by another program is "
            "ended, once nobody is connected to it. The environment variable "
            "RTU_DELETED_KERNEL_GRACE sets it, too."
        ),
    ).tag(config=True)

    @default("deleted_kernel_grace")
    def _default_grace(self) -> float:
        given = os.environ.get("RTU_DELETED_KERNEL_GRACE", "")
        return float(given) if given.isdecimal() else GRACE

    service: Any = Instance(Service, allow_none=True)

    @default("log")
    def _default_log(self) -> logging.Logger:
        return logging.getLogger("rtu_magics.server")

    def initialize_settings(self) -> None:
        """Open the store and build what the handlers share."""
        serverapp = self.serverapp
        assert serverapp is not None
        root = Path(os.path.realpath(serverapp.root_dir))
        state = root / STATE_DIR
        self._lock = DirectoryLock(state / "rtu.lock")
        self._lock.acquire()
        place = place_of(root, state, self.database_dir)
        network = network_file_system(place)
        if network:
            self.log.warning(
                "the database lies on a network file system (%s): changes are stored the slower, "
                "safe way there; RTU_DATABASE_DIR or c.RTUMagicsServer.database_dir puts it on a "
                "local disk",
                network,
            )
        database = Database(
            place / "rtu.db", self.durability, name=root.name, shared_memory=not network
        )
        sessions = (
            afar.sessions_of(self.afar, serverapp)
            if self.afar
            else KernelSessions(
                serverapp.session_manager, serverapp.kernel_manager, serverapp.kernel_spec_manager
            )
        )
        self._address = AddressFile(state / "server.json")
        people = People(
            serverapp.identity_provider,
            database,
            self._address.token,
            Hub.from_environment(self.hub_ask_every),
            role_of_level(self.hub_role),
        )
        prefix = url_path_join(serverapp.base_url, "rtu/api")
        service: Service = Service(database, root, sessions, people, prefix, limits=self._limits())
        self.service = service  # typed here, which a trait is not
        service.orphans.grace = self.deleted_kernel_grace
        service.collections.long_texts.limit = self.max_output_text
        service.activity = Activity(
            serverapp.kernel_manager, self.settings.setdefault("last_activity_times", {})
        )
        settings = serverapp.web_app.settings
        apps = lambda: serverapp.extension_manager.extension_apps  # noqa: E731
        service.workspace.holders = Holders(root, settings, apps)
        service.pages = lambda: _pages(serverapp.extension_manager.extension_apps)
        if self.live_documents:
            service.bridges = Bridges(service.collections, settings, apps)
        service.workspace.holders.bridgeable = service.bridges.can
        if self.afar:
            afar.put_in(service, self.afar, state)
        # Another extension may still replace it.
        service.workspace.contents = lambda: serverapp.contents_manager
        service.workspace.notary = Notary(service.workspace.contents)
        self.leases = Leases(serverapp.stop)
        rooms = service.rooms
        self.leases.hold = lambda: any(room.executor.executions.kept for room in rooms.values())
        scrub = [*self.settings.get("extra_log_scrub_param_keys", ()), "sig", "invite"]
        self.settings.update(rtu_service=self.service, extra_log_scrub_param_keys=scrub)

    def _limits(self) -> Limits:
        given = Limits.read(os.environ.get(LIMITS_ENV, ""))
        return Limits.of({**asdict(given), **self.limits})

    @validate("limits")
    def _check_limits(self, proposal: Any) -> Any:
        try:
            Limits.of(proposal["value"])
        except WrongLimit as exc:
            raise TraitError(f"RTUMagicsServer.limits: {exc}") from None
        return proposal["value"]

    def initialize_handlers(self) -> None:
        """Add the routes."""
        shared = {"service": self.service, "leases": self.leases}
        self.handlers.append((r"/rtu/api/v1/rtu/?", RTUWebSocket, {"service": self.service}))
        self.handlers.extend((pattern, handler, shared) for pattern, handler in routes())
        if self.page_saves and self.service is not None:
            pages = {"service": self.service, "saves": PageSaves(self.service)}
            self.handlers.append((PATTERN, PageContentsHandler, pages))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        service: Service | None = self.service
        if service is None:  # what stood against it has been logged
            return
        service.start()
        self._listen_for_documents(serverapp)
        if self.lease:
            self.leases.start()
        url = local_url(serverapp)
        if url is not None:
            self._address.write(url, service.workspace.root, self.lease)

    def _listen_for_documents(self, serverapp: Any) -> None:
        """Hear at once when a live document is opened; else it is seen within a second."""

        async def heard(logger: Any, schema_id: str, data: Any) -> None:
            if self.service is not None and data.get("action") == "initialize":
                await self.service.live_document_opened()

        try:
            serverapp.event_logger.add_listener(schema_id=DOCUMENT_EVENTS, listener=heard)
        except Exception as exc:  # nobody here has live documents
            self.log.debug("no events of live documents: %s", exc)

    async def stop_extension(self) -> None:
        """Write what has not been written and close the store."""
        if self.service is not None:
            self.leases.stop()
            if self.lease:
                self._hurry_kernels()
            service, self.service = self.service, None
            left = await service.close()
            if self.serverapp is not None:
                self.serverapp.web_app.settings["rtu_not_on_disk"] = left
            self._lock.release()
            self._address.remove()  # last: who finds it waits for this process to end

    def _hurry_kernels(self) -> None:
        """Give kernels less time to end: nobody is left who could want anything from them."""
        assert self.serverapp is not None
        kernels = self.serverapp.kernel_manager
        for kernel_id in kernels.list_kernel_ids():
            kernel = kernels.get_kernel(kernel_id)
            if hasattr(kernel, "shutdown_wait_time"):
                kernel.shutdown_wait_time = _KERNEL_END
