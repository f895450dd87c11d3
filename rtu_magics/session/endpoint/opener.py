"""From a connect target to an open session."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from ...errors import (
    ConnectFailed,
    FileUnknown,
    RTUError,
)
from ...foreign import shown
from ..hints import learn
from ..names import no_such_notebook
from ..registry import sessions
from ..session import Session
from ..thread import background
from .find import NoExtension, check_answers, find_file
from .offer import way as way_there
from .probe import find_live
from .target import LocalTarget, RemoteTarget, find_token, known_token, parse_target

if TYPE_CHECKING:
    from ...client import APIClient, RTUClient
    from ...embedded import Lease
    from ...models import File

__all__ = ["connect"]

CONNECT_TIMEOUT = 60.0  # seconds for the whole way from the first request to the caught-up copy


def connect(
    target: str | os.PathLike[str] | None = None,
    *,
    name: str | None = None,
    token: str | None = None,
    say: Callable[[str], object] = print,
    ask: Callable[[str], str] | None = None,
    cafile: str | None = None,
    as_name: str | None = None,
    new: bool = False,
    trust: bool | None = None,
) -> Session:
    """Connect to a notebook; starts a server on this machine when it is a local file.

    Parameters
    ----------
    target
        The path of a notebook on this machine; the URL of one on a server; None for a scratch
        notebook in the working directory.
    name
        What to call the session; the notebook's name by default.
    token
        The server's token, for a URL. Else the URL's own ``token=``, else that of a session which
        is open on the same server, else ``RTU_TOKEN``.
    say
        Called with a line of text for each thing that happens.
    ask
        Called with a prompt when a token is needed and none was given.
    cafile
        The certificate of an authority to trust besides the usual ones, in PEM, for the URL of a
        server with a certificate of its own; ``SSL_CERT_FILE`` does the same for everything.
    as_name
        What others see you as, where you come with the server's own token. An invitation says
        itself what its guest is called.
    new
        Make an empty notebook where there is none. Otherwise a name that does not exist is taken
        for a slip.
    trust
        Whether outputs may run scripts in the page that shows them; by default those of servers
        of your own may, and those that you were invited to may not.

    Returns
    -------
    Session
        Connected and caught up. Connecting again to the same notebook gives the same session.

    Raises
    ------
    RTUError
        With one line that says what went wrong and what to do.

    Examples
    --------
    ::

        with rtu_magics.connect("lesson.ipynb") as session:
            cell = session.add("1 + 1")
            session.run(cell.id)
    """
    parsed = _resolved(parse_target(target))
    if as_name is not None and not (0 < len(as_name.strip()) <= 100 and as_name.isprintable()):
        raise RTUError("a name is 1 to 100 characters that can be printed; choose another one")
    known = _reuse(parsed, name, as_name)
    if name is not None and known is None:
        sessions.check_free(name)
    if known is not None and known.server_ended:
        say(shown(f"the server of {known.path} has ended"))
        name = known.name
        known.close()
    elif known is not None:
        lost = "; the connection is lost, reconnecting …" if known.connection != "live" else ""
        say(shown(f"already connected to {known.path} as {known.name!r}{lost}"))
        sessions.add(known)  # the newest again
        _renew(known, token or (parsed.token if isinstance(parsed, RemoteTarget) else None))
        return _trusting(known, trust)
    if isinstance(parsed, LocalTarget):
        return _trusting(_connect_local(parsed, name, say, as_name, new), trust)
    same = _on_same_server(parsed)
    if same is not None:
        token = token or parsed.token or same.api.authorization_token
        cafile = cafile or same.api.cafile
    if ask is not None and not known_token(token, parsed):
        check_answers(parsed, cafile)
    way = _Way(find_token(token, parsed, ask), cafile, as_name)
    try:
        return _trusting(_open(parsed, name, way, say, create=new), trust)
    except NoExtension:
        if parsed.path is None or parsed.invited:
            raise
    return _trusting(_open_afar(parsed, name, way, say), trust)


def _renew(session: Session, token: str | None) -> None:
    """Let the server of copies use the token that somebody has given now."""
    lease = session.lease
    if token and lease is not None and lease.server.afar:
        from ...embedded import hand_token

        hand_token(lease.server, token)


Target = LocalTarget | RemoteTarget


def _resolved(parsed: Target) -> Target:
    """Follow symbolic links: a notebook has one name on its server."""
    if isinstance(parsed, LocalTarget):
        return replace(parsed, path=parsed.path.resolve())
    return parsed


def _trusting(session: Session, trust: bool | None) -> Session:
    if trust is not None:
        session.trust_outputs = trust
    return session


@dataclass(frozen=True)
class _Way:
    """How to get in: with what, trusting whom, called what."""

    token: str = field(repr=False)
    cafile: str | None = None
    as_name: str | None = None


def _on_same_server(target: RemoteTarget) -> Session | None:
    """Return a session that is open on the same server, rather an owner's than a guest's."""
    same = [s for s in sessions if s.open and s.server_url == target.base_url]
    owners = [s for s in same if s.role == "owner"]
    return next(reversed(owners or same), None)


def _is_way_in(session: Session, parsed: Target, as_name: str | None) -> bool:
    """Whether a session goes to the same server as the same person as a target would."""
    if not session.open or as_name not in (None, session.api.user_name):
        return False
    if isinstance(parsed, LocalTarget):
        return session.root is not None and session.root in parsed.path.parents
    afar = session.lease.server.afar if session.lease is not None else ""
    if parsed.base_url not in (session.server_url, afar):
        return False
    # With an invitation it is somebody else's way in.
    return not parsed.invited or parsed.token == session.api.authorization_token


def _reuse(parsed: Target, name: str | None, as_name: str | None) -> Session | None:
    """Return the open session on the notebook that lies there now, if one has the wanted name."""
    there = [s for s in sessions if _is_way_in(s, parsed, as_name)]
    if isinstance(parsed, LocalTarget):
        deepest = max((len(s.root.parts) for s in there if s.root is not None), default=0)
        there = [s for s in there if s.root is not None and len(s.root.parts) == deepest]
    file_id = _file_at(parsed, there)
    for session in there:
        if session.file.id == file_id and name in (None, session.name):
            return session
    return None


def _file_at(parsed: Target, there: list[Session]) -> UUID | None:
    """Ask the server which notebook a target names: somebody may have renamed one.

    What the sessions believe counts where it cannot be asked.
    """
    if isinstance(parsed, RemoteTarget) and parsed.file_id is not None:
        return parsed.file_id
    asked = next((s for s in there if s.connection == "live" and s.role in (None, "owner")), None)
    if asked is not None:
        try:
            found = asked.call(asked.api.open_file(_inside(parsed, asked)))
        except FileUnknown:
            return None
        except RTUError:
            pass  # it says so once more when it is connected to
        else:
            _heed(there, found)
            return found.id
    return next((s.file.id for s in there if s.path == _inside(parsed, s)), None)


def _inside(parsed: Target, session: Session) -> str:
    if isinstance(parsed, RemoteTarget):
        return parsed.path or ""
    assert session.root is not None
    return parsed.path.relative_to(session.root).as_posix()


def _heed(there: list[Session], found: File) -> None:
    """Let sessions know at once that they are somewhere else than they thought."""
    for session in there:
        if session.file.id == found.id:
            session.context.known.moved_to(found.path)
        elif session.path == found.path:
            with contextlib.suppress(RTUError):
                now = session.call(session.api.get_file(session.file.id))
                session.context.known.moved_to(now.path)


def _connect_local(
    target: LocalTarget,
    name: str | None,
    say: Callable[[str], object],
    as_name: str | None,
    new: bool,
) -> Session:
    from ...embedded import find_server, open_server

    path, may_create = target.path, new or target.scratch
    if target.create and not may_create and find_server(path.parent) is None:
        raise no_such_notebook(path)
    server, lease = open_server(path.parent, say, name or path.stem)
    try:
        inside = path.relative_to(server.root_dir).as_posix()
        session = _open(
            RemoteTarget(server.url.rstrip("/"), path=inside),
            name or sessions.free_name(path.stem),
            _Way(server.token, as_name=as_name),
            say,
            create=may_create,
            lease=lease,
            local_path=path,
        )
    except BaseException as exc:
        lease.release()
        if isinstance(exc, FileUnknown):
            raise no_such_notebook(path) from None
        raise
    if target.create and path.exists():
        say(f"created {_shown(path)}")
    elif target.scratch:
        say(f"joined {_shown(path)}, which was there already")
    return session


def _shown(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd().resolve()))
    return str(path)


def _open(
    target: RemoteTarget,
    name: str | None,
    way: _Way,
    say: Callable[[str], object],
    *,
    create: bool = False,
    lease: Lease | None = None,
    local_path: Path | None = None,
) -> Session:
    loop = background()
    try:
        api, client, file = loop.run(_reach(target, way, create), CONNECT_TIMEOUT)
    except TimeoutError:
        raise ConnectFailed(
            f"no answer from {target.base_url} within {CONNECT_TIMEOUT:.0f} s; check the address "
            f"and try again"
        ) from None
    session = Session(
        name or sessions.free_name(Path(file.path).stem),
        api,
        client,
        file,
        server_url=target.base_url,
        lease=lease,
        say=say,
        local_path=local_path,
        on_close=sessions.remove,
    )
    sessions.add(session)
    session.context.aside(learn(session))
    return session


def _open_afar(
    target: RemoteTarget, name: str | None, way: _Way, say: Callable[[str], object]
) -> Session:
    """Open a notebook through a server of ours that joins its live document."""
    from ...embedded import Afar, open_copies

    url = target.base_url
    try:
        background().run(find_live(target, way.token, way.cafile), CONNECT_TIMEOUT)
    except TimeoutError:
        raise ConnectFailed(f"no answer from {url}; check the address and try again") from None
    say(way_there(url))
    afar = Afar(url, way.token, way.cafile)
    server, lease = open_copies(afar, say, name or Path(target.path or "").stem)
    here = RemoteTarget(server.url.rstrip("/"), path=target.path)
    try:
        return _open(here, name, _Way(server.token, as_name=way.as_name), say, lease=lease)
    except BaseException:
        lease.release()
        raise


async def _reach(
    target: RemoteTarget, way: _Way, create: bool
) -> tuple[APIClient, RTUClient, File]:
    from ...client import APIClient

    api = APIClient(
        authorization_token=way.token,
        api_base_url=target.api_url,
        cafile=way.cafile,
        user_name=way.as_name,
    )
    try:
        file = await find_file(api, target, create)
        client = await api.connect_realtime(file)
    except BaseException:
        await api.aclose()
        raise
    return api, client, file
