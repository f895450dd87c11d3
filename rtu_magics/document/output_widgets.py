"""Output widgets: which of a kernel's messages they take to themselves, and what they then show.

An Output widget (ipywidgets) captures by naming a request: from the comm message that sets its
``msg_id`` to the one that unsets it, outputs and clears with that parent are the widget's and not
the cell's. That is the front end's work; nothing of it shows in the messages themselves. Rules, as
in JupyterLab's and nbclient's output widgets:

- of several widgets that name one request the last takes all;
- what `OutputReducer` says of a cell holds for a widget, and goes on between two captures: a
  ``clear_output`` that waits is applied by the next output, however late;
- an update of a display reaches it wherever it is shown.

Pure: messages in, messages out. A widget itself lives in its kernel; what it has captured stands in
the ``text/plain`` of its view, and in those of widgets that contain it, so that it is not lost
where no widget can be shown. If it is one display, all of that stands there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .bundle import mime_text
from .outputs import OutputReducer, RunOutput

__all__ = ["OutputWidgets"]

_TARGET = "jupyter.widget"
_VIEW = "application/vnd.jupyter.widget-view+json"
_REFERENCE = "IPY_MODEL_"
_CAPTURED = frozenset({"stream", "display_data", "execute_result", "error", "clear_output"})

_MOST_WIDGETS = 5_000  # that capture or contain others; the oldest are forgotten
_MOST_VIEWS = 1_000
_MOST_OUTPUTS = 200  # of one widget
_MOST_TEXT = 100_000  # characters that one widget keeps of its text: the end
_MOST_BUNDLE = 4_000_000  # characters of a display that is shown whole
_MOST_REFERENCES = 1_000  # of one widget

Message = Mapping[str, Any]


@dataclass(slots=True)
class _Widget:
    """A widget that captures, or contains others."""

    captures: bool = False
    inside: tuple[str, ...] = ()
    parent: str = ""  # the request whose outputs it takes now
    reducer: OutputReducer = field(default_factory=OutputReducer)
    size: int = 0  # characters of text since it was last cut


@dataclass(slots=True)
class _View:
    """A widget as a cell displayed it."""

    model_id: str
    request: str
    data: dict[str, Any]
    metadata: dict[str, Any]
    shown: dict[str, Any]


class OutputWidgets:
    """The Output widgets of one kernel.

    Examples
    --------
    >>> widgets = OutputWidgets()
    >>> state = {"_model_name": "OutputModel", "msg_id": "r1", "outputs": []}
    >>> opened = {"comm_id": "w", "target_name": "jupyter.widget", "data": {"state": state}}
    >>> _ = widgets.route({"msg_type": "comm_open", "content": opened})
    >>> text = {"name": "stdout", "text": "mine"}
    >>> about = {"msg_type": "stream", "parent_header": {"msg_id": "r1"}, "content": text}
    >>> widgets.route(about)
    >>> state["msg_id"] = ""
    >>> change = {"comm_id": "w", "data": {"method": "update", "state": {"msg_id": ""}}}
    >>> _ = widgets.route({"msg_type": "comm_msg", "content": change})
    >>> widgets.route(about) is about
    True
    """

    def __init__(self) -> None:
        self._widgets: OrderedDict[str, _Widget] = OrderedDict()
        self._others: OrderedDict[str, None] = OrderedDict()  # known not to capture
        self._stacks: dict[str, list[str]] = {}  # request → widgets that take its outputs
        self._views: OrderedDict[str, _View] = OrderedDict()  # by display id
        self._shown = 0
        self._changed = False

    @property
    def changed(self) -> bool:
        """Whether views may show something new, see `updates`."""
        return self._changed and bool(self._views)

    def route(self, message: Message) -> Message | None:
        """Take one iopub message; returns what is left of it for its cell, None for nothing."""
        kind, content = str(message.get("msg_type")), message.get("content") or {}
        if kind.startswith("comm_"):
            self._comm(kind, content)
            return message
        request = str((message.get("parent_header") or {}).get("msg_id", ""))
        stack = self._stacks.get(request)
        if kind == "update_display_data":
            self._update(content)
            return message
        if not stack or kind not in _CAPTURED:
            if kind in ("display_data", "execute_result"):
                return self._displayed(message, content, request)
            return message
        self._capture(self._widgets[stack[-1]], kind, content)
        if kind == "display_data" and isinstance(_display_id(content), str):
            self._update(content)
            return {**message, "msg_type": "update_display_data"}
        return None

    def updates(self) -> Iterator[tuple[str, Message]]:
        """Yield what brings the views up to date: the request that displayed one, and a message."""
        self._changed = False
        for display_id, view in self._views.items():
            data = self._bundle(view)
            if data != view.shown:
                view.shown = data
                content = {
                    "data": data,
                    "metadata": view.metadata,
                    "transient": {"display_id": display_id},
                }
                yield view.request, {"msg_type": "update_display_data", "content": content}

    # Comms

    def _comm(self, kind: str, content: Mapping[str, Any]) -> None:
        comm_id, data = str(content.get("comm_id", "")), content.get("data") or {}
        if not isinstance(data, Mapping):
            return
        state = data.get("state")
        if kind == "comm_close":
            self._forget(comm_id)
        elif not isinstance(state, Mapping):
            return
        elif kind == "comm_open" and content.get("target_name") == _TARGET:
            self._opened(comm_id, state)
        elif kind == "comm_msg" and data.get("method") == "update" and comm_id not in self._others:
            self._set(comm_id, state)

    def _opened(self, comm_id: str, state: Mapping[str, Any]) -> None:
        self._forget(comm_id)
        # Subclasses have names of their own, and the same traits.
        captures = state.get("_model_name") == "OutputModel" or {"msg_id", "outputs"} <= set(state)
        if captures or any(True for _ in _references(state)):
            self._widgets[comm_id] = _Widget(captures)
            while len(self._widgets) > _MOST_WIDGETS:
                self._forget(next(iter(self._widgets)))
            self._set(comm_id, state)
        elif "msg_id" in state:
            self._others[comm_id] = None
            while len(self._others) > _MOST_WIDGETS:
                self._others.popitem(last=False)

    def _set(self, comm_id: str, state: Mapping[str, Any]) -> None:
        widget = self._widgets.get(comm_id)
        if widget is None:
            captures = isinstance(state.get("msg_id"), str)
            if not captures and not any(True for _ in _references(state)):
                return
            # It was opened before anybody listened to this kernel, or got its first children now.
            widget = self._widgets[comm_id] = _Widget(captures)
        if "children" in state or not widget.inside:
            widget.inside = tuple(_references(state))
        if not widget.captures:
            return
        if isinstance(state.get("outputs"), (list, tuple)):
            widget.reducer = OutputReducer()
            for output in state["outputs"][:_MOST_OUTPUTS]:
                if isinstance(output, Mapping):
                    self._capture(widget, str(output.get("output_type")), output)
            self._changed = True
        if isinstance(state.get("msg_id"), str):
            self._listen(comm_id, widget, state["msg_id"])

    def _listen(self, comm_id: str, widget: _Widget, request: str) -> None:
        if widget.parent:
            stack = self._stacks.get(widget.parent, [])
            if comm_id in stack:
                stack.remove(comm_id)
            if not stack:
                self._stacks.pop(widget.parent, None)
        widget.parent = request
        if request:
            self._stacks.setdefault(request, []).append(comm_id)

    def _forget(self, comm_id: str) -> None:
        widget = self._widgets.pop(comm_id, None)
        if widget is not None:
            self._listen(comm_id, widget, "")

    # Outputs

    def _capture(self, widget: _Widget, kind: str, content: Mapping[str, Any]) -> None:
        reducer = widget.reducer
        full = len(reducer.outputs) >= _MOST_OUTPUTS and not reducer.clear_pending
        if full and kind not in {"clear_output", "stream"}:
            return
        reducer.process({"msg_type": kind, "content": content})
        self._changed = True
        if kind == "stream":
            widget.size += len(str(content.get("text") or ""))
            if widget.size > 2 * _MOST_TEXT:
                widget.size = _MOST_TEXT
                for output in reducer.outputs:
                    output.keep_end(_MOST_TEXT)

    def _update(self, content: Mapping[str, Any]) -> None:
        display_id = _display_id(content)
        if isinstance(display_id, str):
            for widget in self._widgets.values():
                if widget.captures and widget.reducer.update_display(display_id, content).indexes:
                    self._changed = True

    def _displayed(
        self, message: Message, content: Mapping[str, Any], request: str
    ) -> Message | None:
        data = content.get("data") or {}
        view = data.get(_VIEW) if isinstance(data, Mapping) else None
        model_id = view.get("model_id") if isinstance(view, Mapping) else None
        if not isinstance(model_id, str) or not any(True for _ in self._captors(model_id)):
            return message
        display_id = _display_id(content)
        if not isinstance(display_id, str):
            self._shown += 1
            display_id = f"widget-{model_id}-{self._shown}"
        found = _View(model_id, request, dict(data), dict(content.get("metadata") or {}), {})
        found.shown = self._bundle(found)
        self._views.pop(display_id, None)
        self._views[display_id] = found
        while len(self._views) > _MOST_VIEWS:
            self._views.popitem(last=False)
        transient = {**(content.get("transient") or {}), "display_id": display_id}
        return {**message, "content": {**content, "data": found.shown, "transient": transient}}

    def _captors(self, model_id: str) -> Iterator[_Widget]:
        """Yield the capturing widgets that a widget is or contains, each once, in order."""
        waiting, seen = [model_id], set()
        while waiting:
            name = waiting.pop()
            widget = self._widgets.get(name)
            if widget is None or name in seen:
                continue
            seen.add(name)
            if widget.captures:
                yield widget
            waiting += reversed(widget.inside)

    def _bundle(self, view: _View) -> dict[str, Any]:
        """Return what a view shows: its own bundle with what was captured."""
        found = [output for w in self._captors(view.model_id) for output in w.reducer.outputs]
        if not found:
            return view.data
        text = "\n".join(part for part in map(_text, found) if part)[-_MOST_TEXT:]
        own = self._widgets.get(view.model_id)
        if own is None or not own.captures:  # what contains it says what else is in there
            text = f"{mime_text(view.data.get('text/plain', ''))}\n{text}"
        whole: Mapping[str, Any] = {}
        if len(found) == 1 and found[0].data:
            whole = {k: v for k, v in found[0].data.items() if k != _VIEW}
            if sum(len(mime_text(value)) for value in whole.values()) > _MOST_BUNDLE:
                whole = {}
        return {**view.data, **whole, "text/plain": text}


def _display_id(content: Mapping[str, Any]) -> Any:
    return (content.get("transient") or {}).get("display_id")


def _references(state: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids of the widgets that a widget's state names as its parts."""
    count = 0
    for key, value in state.items():
        if key in ("layout", "style"):
            continue
        parts = value.values() if isinstance(value, Mapping) else value
        for part in parts if isinstance(parts, (list, tuple)) else [parts]:
            if isinstance(part, str) and part.startswith(_REFERENCE):
                yield part[len(_REFERENCE) :]
                count += 1
                if count >= _MOST_REFERENCES:
                    return


def _text(output: RunOutput) -> str:
    """Return an output as text."""
    if output.output_type == "stream":
        return output.text[-_MOST_TEXT:].rstrip("\n")
    if output.output_type == "error":
        return "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
    return mime_text(output.data.get("text/plain", ""))
