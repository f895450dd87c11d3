"""What readers do in a mirror: run, edit, pull, look at a cell.

Everything runs on the background loop; whoever gets a click only hands it over.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ... import models as m
from ...document import make_patch
from ...document.three_way import three_way
from ...errors import CellNotFound, DeltaRejected, RTUError, SquashError
from ...session import background
from ...session.ops.kernel import READY_STATES
from ...tasks import TaskSet

if TYPE_CHECKING:
    from .feed import MirrorFeed

__all__ = ["MirrorActions"]

logger = logging.getLogger(__name__)

SELECT_PAUSE = 0.3  # seconds: whoever walks through the cells says where they are now and then


class MirrorActions:
    """Does what the front ends of one mirror ask for.

    Parameters
    ----------
    feed
        Takes the answers.
    """

    def __init__(self, feed: MirrorFeed) -> None:
        self.feed = feed
        self.session = feed.session
        self._tasks = TaskSet()
        self._selected: str | None = None
        self._select_timer: asyncio.TimerHandle | None = None
        self._closed = False

    def hand_over(self, action: Any) -> None:
        """Do an action soon; from any thread, returns at once."""
        if not isinstance(action, dict) or not isinstance(action.get("a"), str):
            return
        if action["a"] == "hello":
            self.feed.refresh()
        elif background().running:
            background().loop.call_soon_threadsafe(self._begin, action)

    def close(self) -> None:
        """End what waits; edits and runs on their way go on."""
        self._closed = True
        if background().running:
            background().loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._select_timer is not None:
            self._select_timer.cancel()
            self._select_timer = None

    def _begin(self, action: dict[str, Any]) -> None:
        if self._closed:
            return
        self._tasks.spawn(self._do(action))

    async def _do(self, action: dict[str, Any]) -> None:
        key = action.get("key")
        try:
            cell_id = str(action.get("cell", ""))
            kind = action["a"]
            if kind == "need":
                cells = [str(one) for one in action.get("cells", ())]
                self.feed.state.board.need(cells, self.feed.state.outputs_loaded)
            elif kind == "select":
                self._select(cell_id)
            elif kind == "fetch":
                await self._fetch(cell_id, str(action["out"]), str(action["mime"]))
            elif kind == "pull":
                self._pull(cell_id)
            elif kind == "run":
                await self._run(cell_id)
            elif kind == "edit":
                await self._edit(cell_id, str(action["base"]), str(action["text"]), key)
                if action.get("run"):
                    await self._run(cell_id)
        except _Answered:
            pass
        except (RTUError, OSError, TimeoutError) as exc:
            if key is not None and kind == "edit":
                self._answer(key, error=f"{exc}. Your text is kept")
            else:
                self.say(str(exc), bad=True)
        except Exception:
            logger.exception("an action of the mirror failed")
            text = "that did not work; the log of this kernel says why"
            if key is not None:
                self._answer(key, error=text)
            else:
                self.say(text, bad=True)

    def say(self, text: str, *, bad: bool = False) -> None:
        """Say a line to the readers."""
        self.feed.post({"t": "say", "text": text, "bad": bad})

    def _answer(self, key: Any, *, error: str | None = None, theirs: str | None = None) -> None:
        answer: dict[str, Any] = {"t": "reply", "key": key, "ok": error is None}
        if error is not None:
            answer["error"] = error
        if theirs is not None:
            answer["theirs"] = theirs
        self.feed.post(answer)

    # ------------------------------------------------------------------ the actions

    def _select(self, cell_id: str) -> None:
        self._selected = cell_id
        if self._select_timer is None:
            loop = asyncio.get_running_loop()
            self._select_timer = loop.call_later(SELECT_PAUSE, self._send_selection)

    def _send_selection(self) -> None:
        self._select_timer = None
        if self._selected in self.session.client.builder:
            self.session.last_touched = self._selected  # which others are told

    def _pull(self, cell_id: str) -> None:
        """Let an edit of this cell be based on what the reader has in front of them."""
        self.session.seen[cell_id] = self._cell(cell_id).source
        self.session.last_touched = cell_id

    def _cell(self, cell_id: str) -> Any:
        try:
            return self.session.client.builder.cell(cell_id)
        except CellNotFound:
            raise RTUError("this cell has just been deleted") from None

    async def _fetch(self, cell_id: str, output_id: str, mimetype: str) -> None:
        value = await self.feed.state.board.entry(cell_id, output_id, mimetype)
        self.feed.post_bulk(
            {"t": "entry", "cell": cell_id, "out": output_id, "mime": mimetype, "value": value}
        )

    async def _run(self, cell_id: str) -> None:
        cell = self._cell(cell_id)
        if not isinstance(cell, m.CodeCell) or not cell.source.strip():
            raise RTUError("there is nothing to run in this cell")
        client = self.session.client
        if client.kernel_state not in READY_STATES:
            self.say("Starting the remote kernel …")
            await self.session.kernel.launch()
        self.session.last_touched = cell_id
        await client.new_delta_request(m.CellExecute(file_id=client.file_id, resource_id=cell_id))

    async def _edit(self, cell_id: str, base: str, mine: str, key: Any) -> None:
        """Make `mine` the cell's text, merged with what others changed since `base`."""
        client = self.session.client
        why: Exception | None = None
        for _ in range(2):  # the second time against what the text has become meanwhile
            now = self._cell(cell_id).source
            merged = three_way(base, mine, now)
            if merged is None:
                error = "Somebody else changed the same place; nothing was sent. Theirs is below"
                self._answer(key, error=error, theirs=now)
                raise _Answered
            if merged == now:
                break
            try:
                await client.update_cell_content(cell_id, make_patch(now, merged))
            except (DeltaRejected, SquashError) as exc:
                why = exc
                continue
            break
        else:
            raise RTUError(f"the server did not take the edit ({why}); save once more")
        self.session.seen[cell_id] = mine
        self.session.last_touched = cell_id
        self._answer(key)


class _Answered(Exception):
    """The action has been answered already."""
