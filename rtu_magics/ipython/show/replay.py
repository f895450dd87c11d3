"""Remote outputs, shown in the calling cell as if they were local.

Everything is published on the calling thread: what another thread publishes lands in whichever
cell ran last.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...foreign import STAND_IN, shown, streamed
from ...session.events import Event, OutputAppended, OutputContinued, OutputsCleared, OutputsUpdated
from ...session.execution.outputs import stream_text
from .bundles import filter_bundle, filter_metadata, wanted
from .display_ids import DisplayIds

if TYPE_CHECKING:
    from ...models import Output

__all__ = ["Replay"]

_WIDGET = "application/vnd.jupyter.widget-view+json"


class Replay:
    """Shows the outputs of one run in the calling cell.

    Parameters
    ----------
    shell
        The IPython shell.
    display_ids
        The session's display ids.
    owns_cell
        Whether the calling cell holds nothing but this run's outputs. Only then may a remote
        ``clear_output`` clear it: otherwise it would take the cell's other outputs with it.
    fetch
        Returns the entries of a bundle that come by link, given their addresses by mimetype.
    trusts
        Returns whether what the run shows may run scripts in the reader's page, by HTML.
    mark
        A line that stands above the outputs, also after they were cleared.
    """

    def __init__(
        self,
        shell: Any,
        display_ids: DisplayIds,
        *,
        owns_cell: bool,
        fetch: Callable[[dict[str, str]], dict[str, Any]] = lambda links: {},
        trusts: Callable[[], bool] = lambda: True,
        mark: str | None = None,
    ) -> None:
        self.shell = shell
        self._trusts = trusts
        self.mark = mark
        self._fetch = fetch
        self.display_ids = display_ids
        self.owns_cell = owns_cell
        self.clear_pending = False
        self._last: OutputsUpdated | None = None  # of a widget, in a terminal
        self._in_terminal = not hasattr(shell, "kernel")

    def begin(self) -> None:
        """Show the mark, if there is to be one."""
        if self.mark is not None:
            sys.stdout.write(f"{shown(self.mark)}\n")
            sys.stdout.flush()

    def show(self, event: Event) -> None:
        """Show an output event; other events are ignored."""
        if isinstance(event, OutputAppended):
            self._append(event.output)
        elif isinstance(event, OutputContinued):
            self._stream(event.output)
        elif isinstance(event, OutputsUpdated):
            self._update(event)
        elif isinstance(event, OutputsCleared):
            # Cleared for good only when nothing takes the place at once: no flicker.
            self.clear_pending = self.owns_cell
            for output in event.outputs:
                self._append(output)

    def idle(self) -> None:
        """Do what was put off until nothing more comes at once."""
        if self.clear_pending:
            self.clear_pending = False
            self._clear(wait=False)

    def end(self) -> None:
        """Show what was put off until the end of the run."""
        self.idle()
        last, self._last = self._last, None
        if last is not None:
            self._before()
            self._write("stdout", f"{_joined(last.data.get('text/plain', ''))}\n")

    def _before(self) -> None:
        if self.clear_pending:
            self.clear_pending = False
            self._clear(wait=True)

    def _clear(self, *, wait: bool) -> None:
        self.push()
        self.shell.display_pub.clear_output(wait=wait)
        self.begin()

    def _append(self, output: Output) -> None:
        if output.type == "stream":
            self._stream(output)
        elif output.type == "error":
            self._error(output)
        else:
            self._before()
            self.push()
            data = self._whole(output.data or {}, output.links or {}) or _only_content(output)
            metadata, display_id = output.metadata or {}, self.display_ids.assign(output)
            if output.type != "execute_result" or not self._result(output, data, metadata):
                self._publish(data, metadata, display_id)

    def _result(self, output: Output, data: dict[str, Any], metadata: dict[str, Any]) -> bool:
        """Publish a cell's value as one, with its remote count; whether that is possible."""
        content = {
            "execution_count": output.execution_count,
            "data": filter_bundle(data, trusted=self._trusts()),
            "metadata": filter_metadata(metadata, trusted=self._trusts()),
        }
        return self._send("execute_result", content)

    def _send(self, kind: str, content: dict[str, Any]) -> bool:
        """Send a message of its own kind, where a front end listens to the calling cell.

        In a terminal none does, and what captures the cell's output takes displays and text only.
        """
        publisher = self.shell.display_pub
        if getattr(publisher, "_hooks", None):
            return False
        if hasattr(publisher, "send"):
            publisher.send(kind, content, kind.encode())
        elif hasattr(publisher, "pub_socket"):
            publisher.session.send(
                publisher.pub_socket,
                kind,
                content,
                parent=publisher.parent_header,
                ident=kind.encode(),
            )
        else:
            return False
        return True

    def push(self) -> None:
        """Send the text that has piled up: displays are not buffered and would overtake it."""
        sys.stdout.flush()
        sys.stderr.flush()

    def _whole(self, data: dict[str, Any], links: dict[str, str]) -> dict[str, Any]:
        """Return a bundle with what came by link."""
        trusted = self._trusts()
        fetched = {m: url for m, url in links.items() if wanted(m, trusted=trusted)}
        return {**data, **self._fetch(fetched)} if fetched else data

    def _stream(self, output: Output) -> None:
        text = stream_text(output)
        if not text and output.content is not None and output.content.url:
            text = f"[long output, all of it: {output.content.url}]\n"
        if not text:
            return
        if self._in_terminal or not self._trusts():
            text = streamed(text)
        self._before()
        self._write(output.stream_name or "stdout", text)

    def _error(self, output: Output) -> None:
        self._before()
        self.push()
        ename, evalue = shown(output.ename or ""), shown(output.evalue or "", lines=True)
        lines = _traceback(output.traceback or [])
        if not self._send("error", {"ename": ename, "evalue": evalue, "traceback": lines}):
            text = "\n".join(lines) or (f"{ename}: {evalue}" if ename else evalue)
            self._write("stderr", f"{text}\n")

    def _write(self, name: str, text: str) -> None:
        """Write text to one of the calling cell's streams."""
        target, other = (sys.stderr, sys.stdout) if name == "stderr" else (sys.stdout, sys.stderr)
        other.flush()
        target.write(text)
        target.flush()

    def _update(self, event: OutputsUpdated) -> None:
        display_ids = self.display_ids.find(event.output_ids)
        if not display_ids:
            return
        if self._in_terminal and _WIDGET in event.data:
            self._last = event  # each would be printed below the one before
            return
        data = self._whole(event.data, event.links)
        self.push()
        for display_id in display_ids:
            self._publish(data, event.metadata, display_id, update=True)

    def _publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any],
        display_id: str | None,
        update: bool = False,
    ) -> None:
        transient = {"display_id": display_id} if display_id else None
        data = filter_bundle(data, trusted=self._trusts())
        metadata = filter_metadata(metadata, trusted=self._trusts())
        if self._in_terminal and "text/plain" in data:
            data["text/plain"] = shown(_joined(data["text/plain"]), lines=True, colours=True)
        self.shell.display_pub.publish(data, metadata, transient=transient, update=update)


def _traceback(lines: list[str]) -> list[str]:
    r"""Return a traceback's lines with what colours them, and nothing else that orders a terminal.

    Examples
    --------
    >>> _traceback(["\x1b[31mE\x1b]0;t\x07", "\x1b[0m: v"])
    ['\x1b[31mE·]0;t·', '\x1b[0m: v']
    """
    return [streamed(line).replace("\r", STAND_IN) for line in lines]


def _joined(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _only_content(output: Output) -> dict[str, Any]:
    """Return the bundle of an output of a server that sends one representation only."""
    content = output.content
    if content is None:
        return {"text/plain": "[an output without content]"}
    if content.raw is not None:
        return {content.mimetype: content.raw}
    return {"text/plain": f"[{content.mimetype} at {content.url}]"}
