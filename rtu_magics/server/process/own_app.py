"""The Jupyter Server of a process of our own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_server.serverapp import ServerApp
from traitlets.config import Config

__all__ = ["OwnServerApp", "make_config"]


class OwnServerApp(ServerApp):
    """A Jupyter Server that reads no configuration files and leaves none behind."""

    name = "rtu-magics-server"

    def load_config_file(self, *args: Any, **kwargs: Any) -> None:
        """Read nothing: this server is the same wherever it starts."""

    def write_server_info_file(self) -> None:
        """Write nothing: the file would hold the token."""

    def write_browser_open_files(self) -> None:
        """Write nothing: no browser is opened."""


def make_config(
    root: Path,
    *,
    host: str,
    port: int,
    token: str,
    base_url: str,
    lease: bool,
    certfile: str = "",
    keyfile: str = "",
    afar: str = "",
    afar_token: str = "",
) -> Config:
    """Return the configuration of a server; see `rtu_magics.server.process.launch.serve`."""
    config = Config()
    config.ServerApp.root_dir = str(root)
    config.ServerApp.ip = host
    config.ServerApp.port = port
    config.ServerApp.port_retries = 0
    config.ServerApp.base_url = base_url
    config.ServerApp.certfile = certfile
    config.ServerApp.keyfile = keyfile
    config.ServerApp.open_browser = False
    config.ServerApp.allow_root = getattr(os, "geteuid", lambda: 1)() == 0
    config.ServerApp.answer_yes = True  # an interrupt ends it without a question
    config.ServerApp.terminals_enabled = False
    config.ServerApp.reraise_server_extension_failures = True
    config.ServerApp.allow_unauthenticated_access = False
    config.ServerApp.allow_remote_access = host not in ("127.0.0.1", "localhost", "::1")
    config.ServerApp.cookie_secret = os.urandom(32)
    config.ServerApp.log_level = "WARN"
    config.ServerApp.iopub_msg_rate_limit = 0
    config.ServerApp.iopub_data_rate_limit = 0
    config.IdentityProvider.token = token
    config.PasswordIdentityProvider.hashed_password = ""
    config.KernelRestarter.time_to_dead = 1.0
    config.RTUMagicsServer.lease = lease
    if afar:
        config.RTUMagicsServer.afar = afar
        config.GatewayClient.url = afar
        config.GatewayClient.auth_token = afar_token
        config.GatewayClient.connect_timeout = 10.0
        config.ServerApp.kernel_manager_class = "rtu_magics.server.afar.sessions.AfarKernels"
    return config
