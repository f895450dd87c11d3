"""The calls of the REST API that share things with people."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import TypeAdapter

from .http import RestClient

__all__ = ["Sharing"]

Resource = Literal["spaces", "projects", "files"]

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
_PEOPLE: TypeAdapter[dict[str, list[dict[str, Any]]]] = TypeAdapter(dict[str, list[dict[str, Any]]])


class Sharing:
    """Share spaces, projects and files with people; part of `APIClient`.

    Access levels are ``owner``, ``contributor``, ``commenter``, ``viewer`` and ``executor``;
    visibilities ``private``, ``open`` and ``public``. People are named by their e-mail address;
    the calls return for how many people they did something.
    """

    rest: RestClient

    async def share_space(self, space_id: UUID, email: str, access_level: str) -> int:
        """Give people access to a space."""
        return await self._share("spaces", space_id, email, access_level)

    async def share_project(self, project_id: UUID, email: str, access_level: str) -> int:
        """Give people access to a project."""
        return await self._share("projects", project_id, email, access_level)

    async def share_file(self, file_id: UUID, email: str, access_level: str) -> int:
        """Give people access to a file."""
        return await self._share("files", file_id, email, access_level)

    async def unshare_space(self, space_id: UUID, email: str) -> int:
        """Take people's access to a space away."""
        return await self._unshare("spaces", space_id, email)

    async def unshare_project(self, project_id: UUID, email: str) -> int:
        """Take people's access to a project away."""
        return await self._unshare("projects", project_id, email)

    async def unshare_file(self, file_id: UUID, email: str) -> int:
        """Take people's access to a file away."""
        return await self._unshare("files", file_id, email)

    async def change_space_visibility(
        self, space_id: UUID, visibility: str, visibility_default_access_level: str | None = None
    ) -> Any:
        """Change who can see a space."""
        return await self._change("spaces", space_id, visibility, visibility_default_access_level)

    async def change_project_visibility(
        self, project_id: UUID, visibility: str, visibility_default_access_level: str | None = None
    ) -> Any:
        """Change who can see a project."""
        return await self._change(
            "projects", project_id, visibility, visibility_default_access_level
        )

    async def change_file_visibility(
        self, file_id: UUID, visibility: str, visibility_default_access_level: str | None = None
    ) -> Any:
        """Change who can see a file."""
        return await self._change("files", file_id, visibility, visibility_default_access_level)

    async def _people(self, resource: Resource, resource_id: UUID, email: str) -> list[str]:
        found = await self.rest.call(
            _PEOPLE, "GET", f"/{resource}/{resource_id}/shareable-users", params={"q": email}
        )
        return [str(person["id"]) for person in found.get("data", []) if "id" in person]

    async def _share(self, resource: Resource, resource_id: UUID, email: str, level: str) -> int:
        people = await self._people(resource, resource_id, email)
        for person in people:
            body = {"access_level": _role(level), "user_id": person}
            await self.rest.request("PUT", f"/{resource}/{resource_id}/users", json=body)
        return len(people)

    async def _unshare(self, resource: Resource, resource_id: UUID, email: str) -> int:
        people = await self._people(resource, resource_id, email)
        for person in people:
            await self.rest.request("DELETE", f"/{resource}/{resource_id}/users/{person}")
        return len(people)

    async def _change(
        self, resource: Resource, resource_id: UUID, visibility: str, level: str | None
    ) -> Any:
        body = {
            "visibility": visibility,
            "visibility_default_access_level": _role(level) if level else None,
        }
        return await self.rest.call(_ANYTHING, "PATCH", f"/{resource}/{resource_id}", json=body)


def _role(level: str) -> str:
    """Return an access level as it goes over the wire.

    Examples
    --------
    >>> _role("viewer"), _role("role:viewer")
    ('role:viewer', 'role:viewer')
    """
    return level if level.startswith("role:") else f"role:{level}"
