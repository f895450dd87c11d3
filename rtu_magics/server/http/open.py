"""Opening a notebook by its path, and what stands against it."""

from __future__ import annotations

from ...models import Model
from ..access.people import Action, authorise
from ..access.roles import may
from ..file.plain_contents import why_not_plain
from ..service import BadPath, NotANotebook
from ..store import files as queries
from ..store.files import FileRow
from .base import fail, signed_in
from .files import FileHandler

__all__ = ["OpenFile"]


class _Open(Model):
    path: str
    create: bool = False


class OpenFile(FileHandler):
    """Opening a notebook by its path."""

    @signed_in(Action.READ)
    async def post(self) -> None:
        """Answer with the notebook at a path below the root, made known or made if need be."""
        wanted = self.body(_Open)
        try:
            self._check(wanted)
            await self._not_held(wanted.path)
            row = await self._open(wanted)
            await self._plain(row)
        except BadPath as exc:
            raise fail(403, str(exc)) from exc
        except FileNotFoundError as exc:
            raise fail(404, str(exc.args[0] if exc.args else exc)) from exc
        except NotANotebook as exc:
            raise fail(422, str(exc)) from exc
        except OSError as exc:
            raise fail(403, f"{wanted.path}: {exc.strerror or exc}") from exc
        self.answer_file(self.service.workspace.file(row.id) or row)

    async def _open(self, wanted: _Open) -> FileRow:
        """Open what lies at the path: a notebook may turn out to be another one, renamed."""
        path = self.service.workspace.clean_path(wanted.path)
        for _ in range(3):
            row = await self.service.open_path(path, wanted.create, by_owner=self.person.is_owner)
            room = await self.open_room(row)
            if room.path == path:
                break
        return row

    async def _not_held(self, path: str) -> None:
        """Let nobody begin to work on what another program owns; who works on it already may."""
        holders, path = self.service.workspace.holders, self.service.workspace.clean_path(path)
        await holders.look(now=True)
        refused = holders.refusal(path)
        if refused and not any(
            r.path == path and r.subscribers for r in self.service.rooms.values()
        ):
            raise fail(409, refused)

    async def _plain(self, row: FileRow) -> None:
        """Let nobody change by half what is more to Jupyter than its file."""
        room = await self.open_room(row)
        metadata = room.chain.builder.nb.metadata
        manager, file = self.service.workspace.contents(), self.service.workspace.absolute(row.path)
        refused = await why_not_plain(manager, row.path, file, metadata)
        if refused:
            raise fail(409, refused)

    def _check(self, wanted: _Open) -> None:
        """Let nobody find out what is there, or make something, who may not."""
        if self.person.is_owner:
            return
        path = self.service.workspace.clean_path(wanted.path)
        with self.service.database.transaction() as connection:
            row = queries.file_by_path(connection, path)
            project_id = self.service.workspace.project_in(connection, path)
        if row is not None and authorise(self.person, Action.READ, row.id):
            wanted.create = False
            return
        role = self.service.people.rights.on(self.person, "projects", project_id)
        if wanted.create and not may(role, Action.EDIT):
            raise fail(403, "you may not make notebooks here; ask an owner to make it and share it")
        if not may(role, Action.READ):
            raise FileNotFoundError(f"no notebook at {path}")
