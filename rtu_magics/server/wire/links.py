"""Signed links: whoever has one may fetch (or upload) that one thing, without other credentials."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from urllib.parse import quote, urlencode
from uuid import UUID

from .frames import LINK_BASE

__all__ = ["Links", "without_secrets"]

_LIFETIME = 24 * 3600
_SECRETS = re.compile(r"(?<=[?&])(token|invite|sig)=[^&]*", re.IGNORECASE)


def without_secrets(uri: str) -> str:
    """Return an address with what lets somebody in cut out.

    Examples
    --------
    >>> without_secrets("/rtu/f/1?invite=a.b.c&x=1")
    '/rtu/f/1?invite=[secret]&x=1'
    """
    return _SECRETS.sub(r"\1=[secret]", uri)


class Links:
    """Makes and checks links.

    A link with a `reader` is theirs: it is worth no more than they are when it is used.

    Parameters
    ----------
    secret
        The key.
    prefix
        Path of our REST API on the server, with the server's ``base_url``: ``/…/rtu/api``.
    """

    def __init__(self, secret: bytes, prefix: str) -> None:
        self._secret = secret
        self._prefix = prefix

    def version(self, version_id: UUID, base: str, reader: UUID | None = None) -> str:
        """Return a link to a version's notebook; `base` is ``scheme://host``."""
        return self._expiring(base, f"/v1/versions/{version_id}/content", reader)

    def file(self, file_id: UUID, base: str, reader: UUID | None = None) -> str:
        """Return a link to the bytes of a plain file."""
        return self._expiring(base, f"/v1/files/{file_id}/content", reader)

    def upload(self, upload_id: UUID, base: str, reader: UUID | None = None) -> str:
        """Return a link that takes an upload."""
        return self._expiring(base, f"/v1/uploads/{upload_id}", reader)

    def output(self, output_id: UUID, mimetype: str) -> str:
        """Return a link to one representation of an output; it holds as long as the output.

        The address of the server is left open (`LINK_BASE`) until the receiver is known.
        """
        path = f"/outputs/{output_id}/content"
        signature = self._sign(f"{path}?{mimetype}")
        query = urlencode({"mimetype": mimetype, "sig": signature}, quote_via=quote)
        return f"{LINK_BASE}{self._prefix}{path}?{query}"

    def valid_output(self, output_id: UUID, mimetype: str, signature: str) -> bool:
        """Return whether a link to an output is one of ours."""
        expected = self._sign(f"/outputs/{output_id}/content?{mimetype}")
        return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))

    def valid(self, path: str, expires: str, signature: str, reader: str = "") -> bool:
        """Return whether an expiring link is one of ours and still holds.

        Parameters
        ----------
        path
            Below the REST API's prefix.
        expires, signature, reader
            From the query; whether the reader still may is the caller's to ask.
        """
        expected = self._sign(_signed(path, expires, reader))
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            return False
        return expires.isdigit() and int(expires) >= time.time()

    def _expiring(self, base: str, path: str, reader: UUID | None) -> str:
        expires, whose = str(int(time.time()) + _LIFETIME), str(reader or "")
        signature = self._sign(_signed(path, expires, whose))
        bound = f"for={whose}&" if whose else ""
        return f"{base}{self._prefix}{path}?{bound}expires={expires}&sig={signature}"

    def _sign(self, text: str) -> str:
        digest = hmac.new(self._secret, text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:24]).decode()


def _signed(path: str, expires: str, reader: str) -> str:
    return f"{path}?{expires}&for={reader}" if reader else f"{path}?{expires}"
