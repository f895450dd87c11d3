"""How many pixels a picture unfolds into, read off its first bytes; nothing is decoded."""

from __future__ import annotations

import base64
import binascii
import struct

__all__ = ["pixels"]


def pixels(encoded: str) -> int | None:
    """Return the number of pixels of a PNG, JPEG, GIF or WebP.

    Parameters
    ----------
    encoded
        The picture in base64.

    Returns
    -------
    int or None
        Width times height; None if it is none of these or ends too early.

    Examples
    --------
    >>> pixels("R0lGODlhAgADAAAAACw=")
    6
    >>> pixels("bm8gcGljdHVyZQ==") is None
    True
    """
    try:
        data = base64.b64decode(encoded, validate=False)
        found = _size(data)
    except (binascii.Error, struct.error, ValueError):
        return None
    return None if found is None or 0 in found else found[0] * found[1]


def _size(data: bytes) -> tuple[int, int] | None:
    width: int
    height: int
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack_from(">II", data, 16)
    elif data.startswith((b"GIF87a", b"GIF89a")):
        width, height = struct.unpack_from("<HH", data, 6)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    elif data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    else:
        return None
    return width, height


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return (
            int.from_bytes(data[24:27], "little") + 1,
            int.from_bytes(data[27:30], "little") + 1,
        )
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(data):
        if data[at] != 0xFF:
            return None
        kind = data[at + 1]
        if kind == 0xFF:
            at += 1
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        else:
            at += 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])
    return None
