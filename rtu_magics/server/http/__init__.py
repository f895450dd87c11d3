"""The REST API under ``/rtu/api``; `routes` lists every route with its handler."""

from __future__ import annotations

from typing import Any

__all__ = ["routes"]


def routes() -> list[tuple[str, type[Any]]]:
    """Return every route: a pattern below the server's base URL, and its handler."""
    from . import (
        afar,
        content,
        files,
        history,
        invites,
        kernels,
        leases,
        open,
        outputs,
        pages,
        projects,
        runs,
        shares,
    )
    from .base import NotFound

    api, one = "/rtu/api", "([^/]+)"
    resource = "(spaces|projects|files)"
    return [
        (rf"{api}/info/?", projects.Info),
        (rf"{api}/users/me/?", projects.Me),
        (rf"{api}/spaces/?", projects.Spaces),
        (rf"{api}/spaces/{one}/projects/?", projects.SpaceProjects),
        (rf"{api}/projects/?", projects.Projects),
        (rf"{api}/projects/{one}/files/?", projects.ProjectFiles),
        (rf"{api}/v1/files/?", files.Files),
        (rf"{api}/v1/files/open/?", open.OpenFile),
        (rf"{api}/v1/uploads/{one}/?", content.Upload),
        (rf"{api}/v1/files/{one}/complete-upload/?", files.CompleteUpload),
        (rf"{api}/v1/(versions|files)/{one}/content/?", content.VersionContent),
        (rf"{api}/v1/files/{one}/versions/?", files.FileVersions),
        (rf"{api}/files/{one}/versions/?", files.FileVersions),
        (rf"{api}/v1/files/{one}/versions/{one}/restore/?", history.RestoreVersion),
        (rf"{api}/v1/files/{one}/log/?", history.FileLog),
        (rf"{api}/v1/files/{one}/rename/?", history.RenameFile),
        (rf"{api}/v1/files/{one}/variables/?", history.FileVariables),
        (rf"{api}/v1/files/{one}/save/?", files.SaveFile),
        (rf"{api}/v1/files/{one}/runs/?", runs.FileRuns),
        (rf"{api}/v1/files/{one}/clear-outputs/?", runs.ClearOutputs),
        (rf"{api}/v1/files/{one}/invites/?", invites.Invites),
        (rf"{api}/v1/files/{one}/invites/{one}/?", invites.InviteItem),
        (rf"{api}/v1/files/{one}/people/?", invites.PeopleInFile),
        (rf"{api}/v1/files/{one}/session/?", kernels.FileSession),
        (rf"{api}/v1/files/{one}/?", files.FileItem),
        (rf"{api}/v1/kernelspecs/?", kernels.KernelSpecs),
        (rf"{api}/v1/sessions/?", kernels.Sessions),
        (rf"{api}/v1/sessions/{one}/interrupt/?", kernels.InterruptSession),
        (rf"{api}/v1/sessions/{one}/restart/?", kernels.RestartSession),
        (rf"{api}/(?:v1/)?sessions/{one}/?", kernels.SessionItem),
        (rf"{api}/outputs/collection/{one}/?", outputs.Collection),
        (rf"{api}/outputs/{one}/content/?", outputs.OutputContentHandler),
        (rf"{api}/v1/datasources/by_notebook/{one}/?", shares.DataSources),
        (rf"{api}/{resource}/{one}/shareable-users/?", shares.ShareableUsers),
        (rf"{api}/{resource}/{one}/users/?", shares.SharedUsers),
        (rf"{api}/{resource}/{one}/users/{one}/?", shares.SharedUser),
        (rf"{api}/spaces/{one}/?", projects.SpaceItem),
        (rf"{api}/projects/{one}/?", projects.ProjectItem),
        (rf"{api}/files/{one}/?", shares.SharedFile),
        (rf"{api}/v1/leases/?", leases.LeaseList),
        (rf"{api}/v1/afar/?", afar.AfarToken),
        (rf"{api}/v1/leases/{one}/?", leases.LeaseItem),
        (rf"/rtu/f/{one}/?", pages.NotebookPage),
        ("/rtu(?:/.*)?", NotFound),
    ]
