"""Numbers as Yjs writes them: seven bits a byte, the lowest first; pure."""

from __future__ import annotations

__all__ = ["decoded", "encoded"]


def encoded(value: int) -> bytes:
    r"""Return a number in bytes.

    Examples
    --------
    >>> encoded(300)
    b'\xac\x02'
    """
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def decoded(data: bytes, at: int = 0) -> tuple[int, int]:
    r"""Return the number that stands in bytes from a place on, and the place behind it.

    Raises
    ------
    IndexError
        It is cut off.

    Examples
    --------
    >>> decoded(b"\xac\x02\x07")
    (300, 2)
    """
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at
