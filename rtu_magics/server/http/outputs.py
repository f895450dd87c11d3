"""What runs have left behind: output collections, and their content by link."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from collections.abc import Hashable, Iterator
from pathlib import Path

from ...document import is_binary
from ..access.people import Action, authorise
from ..limits.gate import ByLink
from ..outputs.collection import LiveCollection
from ..process.slices import joined, parts_of
from ..wire.frames import LINK_BASE
from .base import Handler, fail, public, signed_in, uuid_of

__all__ = ["Collection", "OutputContentHandler"]

_PIECE = 1 << 20  # bytes

# Shown by browsers as it is, so nothing that runs scripts on the server's origin.
_SHOWN_INLINE = ("image/png", "image/jpeg", "image/gif", "image/webp", "text/plain")


class Collection(Handler):
    """One output collection."""

    @signed_in(Action.READ)
    async def get(self, collection_id: str) -> None:
        """Answer with the collection and its outputs."""
        found_id = uuid_of(collection_id)
        async with self.reading():
            found = self._checked(await self.service.collections.read(found_id))
            parts = await self.service.slices.run(joined(self._pieces(found)))
        await self.answer_large(parts)

    def _checked(self, found: LiveCollection | None) -> LiveCollection:
        if found is None or not authorise(self.person, Action.READ, found.file_id):
            raise fail(404, "there is no such output collection")
        if found.private_to not in (None, self.person.id):
            raise fail(404, "there is no such output collection")
        return found

    def _pieces(self, found: LiveCollection) -> Iterator[bytes]:
        return (piece.replace(LINK_BASE, self.base).encode() for piece in found.wire_pieces())


class OutputContentHandler(Handler):
    """One representation of one output."""

    @property
    def reader(self) -> Hashable:
        """Where the request comes from: the link says nothing of who follows it."""
        return ByLink(self.request.remote_ip)

    @public
    async def get(self, output_id: str) -> None:
        """Answer with the decoded bytes; the link is the credential."""
        mimetype, found_id = self.query("mimetype"), uuid_of(output_id)
        if not self.service.links.valid_output(found_id, mimetype, self.query("sig")):
            raise fail(403, "the link is not valid; ask for the output collection again")
        whole = self.service.collections.long_texts.path(found_id)
        if mimetype == "text/plain" and whole.is_file():
            await self._send_file(whole)
            return
        async with self.reading():
            text = await self.service.collections.content(found_id, mimetype)
            if text is None:
                raise fail(404, "the output was cleared or replaced")
            content = await asyncio.to_thread(self._decoded, text, mimetype)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        if mimetype not in _SHOWN_INLINE:
            self.set_header("Content-Disposition", "attachment")
        await self.answer_large(list(parts_of(content)), mimetype)

    def _decoded(self, text: str, mimetype: str) -> bytes:
        if is_binary(mimetype):
            # A kernel's own idea of an image is handed on as it is.
            with contextlib.suppress(ValueError, binascii.Error):
                return base64.b64decode(text)
        return text.replace(LINK_BASE, self.base).encode("utf-8", "surrogatepass")

    async def _send_file(self, path: Path) -> None:
        """Answer with a text file, in pieces."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        self.set_header("Content-Disposition", 'attachment; filename="output.txt"')
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                self.write(piece)
                await self.flush()
        self.finish()
