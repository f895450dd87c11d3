"""What runs have left behind: output collections, and their content by link."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from pathlib import Path

from ...document import is_binary
from ..access.people import Action, authorise
from ..store import runs
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
        async with self.reading():
            self._answer(collection_id)

    def _answer(self, collection_id: str) -> None:
        found = self.service.collections.get(uuid_of(collection_id))
        if found is None or not authorise(self.person, Action.READ, found.file_id):
            raise fail(404, "there is no such output collection")
        if found.private_to not in (None, self.person.id):
            raise fail(404, "there is no such output collection")
        self.answer_text(found.to_wire().model_dump_json().replace(LINK_BASE, self.base))


class OutputContentHandler(Handler):
    """One representation of one output."""

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
        text = self.service.collections.live_content(found_id, mimetype)
        if text is None:
            with self.service.database.transaction() as connection:
                row = runs.get_output(connection, found_id)
            collection = self.service.collections.get(row.collection_id) if row else None
            text = collection.content_of(found_id, mimetype) if collection else None
        if text is None:
            raise fail(404, "the output was cleared or replaced")
        content = text.replace(LINK_BASE, self.base).encode("utf-8", "surrogatepass")
        if is_binary(mimetype):
            # A kernel's own idea of an image is handed on as it is.
            with contextlib.suppress(ValueError, binascii.Error):
                content = base64.b64decode(text)
        self.set_header("Content-Type", mimetype)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        if mimetype not in _SHOWN_INLINE:
            self.set_header("Content-Disposition", "attachment")
        self.finish(content)

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
