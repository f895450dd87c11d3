"""Where a request comes from, for servers where nothing but that lets somebody in.

A Jupyter Server without token and password takes whoever reaches it for its owner. So does every
browser on its machine, and with it every page that is open there. What Jupyter asks of requests to
its own routes is therefore asked of ours: the server's own sign-in lets them pass, they call it by
a local name (else another name could be pointed at this machine), they come from its own origin or
one that it allows, and what changes something carries the cookie's other half. A program that is no
browser, and has no cookies to be misused, passes as before.
"""

from __future__ import annotations

import inspect
import logging
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.web import HTTPError

__all__ = ["came_from_elsewhere"]

logger = logging.getLogger(__name__)

_READS = ("GET", "HEAD", "OPTIONS")
_OF_BROWSERS = ("Cookie", "Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode")
_HERE = ("same-origin", "none")
_TOKEN_INSTEAD = "or use a token: the server's own, or an invitation's"


async def came_from_elsewhere(handler: Any) -> str:
    """Return why a request may not count as its owner's for being made here, empty if it may.

    Parameters
    ----------
    handler
        The request's handler, of REST or of a websocket; a `JupyterHandler`.

    Returns
    -------
    str
        One line that says what to do. Where a token or a password is asked for it means nothing.
    """
    if handler.identity_provider.auth_enabled:
        return ""
    if not await _signed_in(handler):
        return f"this server's sign-in does not let you in; sign in there, {_TOKEN_INSTEAD}"
    if not JupyterHandler.check_host(handler):
        return (
            "this server has no token and was called by a name that is not this machine's; call it "
            f"localhost, set ServerApp.local_hostnames, {_TOKEN_INSTEAD}"
        )
    if not WebSocketMixin.check_origin(handler) or not _referred_from_here(handler):
        return (
            "this server has no token, and the request comes from another site's page; set "
            f"ServerApp.allow_origin, {_TOKEN_INSTEAD}"
        )
    if not _meant(handler):
        return (
            "this server has no token, and the page did not send the _xsrf cookie's value with its "
            f"request (header X-XSRFToken); reload it, {_TOKEN_INSTEAD}"
        )
    return ""


async def _signed_in(handler: Any) -> bool:
    """Ask Jupyter's identity provider, which may look at more than tokens."""
    # No cookie ever counts on our routes; one that was set would only make a program look like a
    # browser.
    handler.set_secure_cookie = lambda *args, **kwargs: None
    try:
        user = handler.identity_provider.get_user(handler)
        if inspect.isawaitable(user):
            user = await user
    except HTTPError as exc:
        logger.info("the identity provider answers %s: %s", handler.request.path, exc)
        user = None
    # Jupyter's own checks look for it, as its handlers find it after their `prepare`.
    handler.current_user = handler._jupyter_current_user = user
    return user is not None


def _referred_from_here(handler: Any) -> bool:
    """Whether a request without an origin, such as that for a script, was made by our own page."""
    headers = handler.request.headers
    if handler.get_origin() is not None:
        return True  # and it has been checked
    elsewhere = headers.get("Sec-Fetch-Site", "none").lower() not in _HERE
    if elsewhere or "Referer" in headers:
        return bool(JupyterHandler.check_referer(handler))
    return True


def _meant(handler: Any) -> bool:
    """Whether what a browser sends to change something was meant by a page of this server."""
    request = handler.request
    if request.method in _READS or not any(name in request.headers for name in _OF_BROWSERS):
        return True
    try:
        JupyterHandler.check_xsrf_cookie(handler)
    except HTTPError:
        return False
    return True
