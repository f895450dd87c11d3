"""Whom to trust over TLS: one answer for REST and websockets alike.

httpx and websockets each look somewhere else by themselves: one at the certificates that the
package certifi carries, the other at the system's; and not both heed ``SSL_CERT_FILE``.
"""

from __future__ import annotations

import contextlib
import functools
import os
import ssl

from ..errors import TargetError

__all__ = ["client_context", "why_untrusted"]


def client_context(cafile: str | None = None) -> ssl.SSLContext:
    """Return the context of a client's secure connections.

    It trusts the system's authorities (``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` say which), those
    that certifi carries unless these variables are set, and the one that is given.

    Parameters
    ----------
    cafile
        The certificate of one more authority, or of the server itself, in PEM.

    Raises
    ------
    TargetError
        There is no such file, or it holds no certificate.
    """
    return _context(cafile, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.lru_cache(maxsize=8)
def _context(cafile: str | None, file: str | None, directory: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()  # takes the variables itself
    if not file and not directory:
        with contextlib.suppress(ImportError, OSError, ssl.SSLError):
            import certifi

            context.load_verify_locations(certifi.where())
    if cafile is not None:
        try:
            context.load_verify_locations(os.path.expanduser(cafile))
        except ssl.SSLError:
            raise TargetError(
                f"{cafile} holds no certificate; give the authority's, in PEM"
            ) from None
        except OSError as exc:
            raise TargetError(
                f"the certificate {cafile} cannot be read ({exc.strerror or exc}); check its path"
            ) from None
    return context


def why_untrusted(reason: str, where: str) -> str | None:
    """Return what to do when a certificate is not trusted; None when that is not what failed.

    Parameters
    ----------
    reason
        What the TLS library says.
    where
        The server.

    Examples
    --------
    >>> why_untrusted("certificate verify failed: Hostname mismatch", "h:1")
    "the certificate of h:1 is not for that name: connect by the server's proper name"
    >>> why_untrusted("record layer failure", "h:1") is None
    True
    """
    lower = reason.lower()
    if "certificate verify failed" not in lower and "certificate_verify_failed" not in lower:
        return None
    if "hostname mismatch" in lower or "ip address mismatch" in lower:
        return (
            f"the certificate of {where} is not for that name: connect by the server's proper name"
        )
    if "expired" in lower:
        return f"the certificate of {where} has expired: its administrator has to renew it"
    return (
        f"this machine does not trust the certificate of {where}: give that of its authority with "
        "--cafile, or in SSL_CERT_FILE"
    )
