"""Generating what no client should send: from valid requests, and from nothing."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote
from uuid import UUID

NIL = str(UUID(int=0))

_TEXTS = [
    "",
    " ",
    "x",
    "a" * 10_000,
    "é" * 3_000,
    "\0",
    "a\0b.ipynb",
    "../../etc/passwd",
    "..\\..\\x.ipynb",
    "/etc/passwd",
    "a/b/c.ipynb",
    "a//b/./c.ipynb",
    ".rtu_magics/rtu.db",
    "%2e%2e%2f",
    "%s%d%%n",
    "'; DROP TABLE rtu_files; --",
    "<script>alert(1)</script>",
    "\r\nX-Injected: yes",
    "\ud800",
    "\udfff\ud800.ipynb",
    "\u202eipynb",
    "💥" * 50,
    NIL,
    "not-a-uuid",
    "NaN",
    "null",
    "-1",
    "9" * 400,
    "role:owner",
    "owner",
    "2026-13-45T99:99:99Z",
    "@@ -1,3 +1,3 @@\n-a\n+b\n",
    "@@ broken",
]
_SCALARS: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**31,
    -(2**63),
    10**30,
    10**4000,
    1e308,
    -0.0,
    0.1,
    [],
    {},
    [[]],
    {"": None},
    [None] * 1000,
]
_RAW = [
    b"",
    b"{",
    b"[",
    b'"',
    b"null",
    b"true",
    b"5",
    b"[]",
    b"NaN",
    b'{"name": NaN}',
    b'{"path": Infinity, "limit": -Infinity}',
    b"{} {}",
    b"{'a': 1}",
    b"\xff\xfe\x00",
    b'{"name": "\xff\xfe"}',
    b'{"name": "\xed\xa0\x80"}',
    b"\xef\xbb\xbf{}",
    '{"name": "x"}'.encode("utf-16"),
    b'{"name": "\\ud800", "path": "\\udc00.ipynb"}',
    b"[" * 20_000,
    b'{"a":' * 10_000,
    b"[" * 500 + b"]" * 500,
    b'{"name": ' + b"9" * 20_000 + b"}",
    b'{"name": "' + b"x" * 200_000 + b'"}',
    b"\0" * 1000,
    b"--boundary\r\nContent-Disposition: form-data; name=x\r\n\r\ny\r\n--boundary--",
    b"a=1&b=2",
]
CONTENT_TYPES = [
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=boundary",
    "multipart/form-data",
    "application/json; charset=utf-16",
    "application/octet-stream",
    "?/;=",
    "",
]


class Bodies:
    """A source of bad requests, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        """Return anything that JSON can say."""
        choice = self.random.random()
        if choice < 0.5:
            return self.random.choice(_TEXTS)
        if choice < 0.85 or depth > 3:
            return self.random.choice(_SCALARS)
        if choice < 0.93:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.text(): self.value(depth + 1) for _ in range(self.random.randrange(4))}

    def text(self) -> str:
        return self.random.choice(_TEXTS)

    def mutated(self, valid: Any, depth: int = 0) -> Any:
        """Return something valid with something wrong in it, mostly."""
        choice = self.random.random()
        if isinstance(valid, dict) and valid and choice < 0.85:
            key = self.random.choice(list(valid))
            wrong = dict(valid)
            if choice < 0.15:
                del wrong[key]
            elif choice < 0.25:
                wrong[self.text()] = self.value()
            elif choice < 0.55 or depth > 4:
                wrong[key] = self.value()
            else:
                wrong[key] = self.mutated(valid[key], depth + 1)
            return wrong
        return valid if choice > 0.97 else self.value()

    def encoded(self, value: Any) -> bytes:
        """Return a value as JSON, with lone surrogates as escapes."""
        return json.dumps(value, ensure_ascii=True).encode()

    def body(self, valid: Any) -> bytes:
        """Return a body: mostly JSON that is nearly right, else bytes."""
        if self.random.random() < 0.2:
            return self.random.choice(_RAW)
        if valid is None:
            return self.encoded(self.value())
        return self.encoded(self.mutated(valid))

    def segment(self) -> str:
        """Return a part of a path that no id looks like."""
        text = self.text().encode("utf-8", "replace")
        return quote(text[:4000], safe="" if self.random.random() < 0.8 else "/.") or "%20"

    def query(self) -> str:
        """Return a query string."""
        if self.random.random() < 0.6:
            return ""
        names = ["limit", "before_delta_id", "token", "sig", "expires", "mimetype", "q", "x"]
        pairs = []
        for _ in range(self.random.randrange(1, 4)):
            text = self.text().encode("utf-8", "replace")[:2000]
            if self.random.random() < 0.2:
                pairs.append(f"{self.random.choice(names)}=%ff%fe")
            else:
                pairs.append(f"{self.random.choice(names)}={quote(text, safe='')}")
        return "?" + "&".join(pairs)

    def frame(self, valid: dict[str, Any]) -> str | bytes:
        """Return a websocket message."""
        if self.random.random() < 0.08:
            raw = self.random.choice(_RAW)
            try:
                return raw.decode() if self.random.random() < 0.7 else raw
            except UnicodeDecodeError:
                return raw
        message = dict(valid)
        if self.random.random() < 0.25:
            message = self.mutated(message)
        elif self.random.random() < 0.95:
            message["data"] = self.mutated(message["data"])
        text = json.dumps(message, ensure_ascii=True)
        if self.random.random() < 0.02:
            text = text.replace(": null", ": NaN")
        return text
