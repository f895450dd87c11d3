"""From a kernel's messages to a cell's outputs.

`OutputReducer` takes the iopub messages of one run in order and keeps the list of outputs that a
notebook would show. What each message changed comes back as `Appended`, `Continued`, `Updated` or
`Cleared`, for whoever passes the changes on.

Source of the rules: the Jupyter messaging protocol 5.4, and where it leaves a choice, what the
classic notebook and nbclient do:

- A chunk of a stream continues the last output if that is the same stream.
- ``display_data`` and ``execute_result`` with a ``display_id`` that was shown before update those
  outputs too; ``update_display_data`` only updates.
- ``clear_output`` with ``wait`` takes effect with the next output, if one comes. An update is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..models import DisplayDataOutput, ErrorOutput, ExecuteResultOutput, StreamOutput
from .bundle import valid_bundle
from .repair import fit_bundle, fit_metadata

__all__ = [
    "Appended",
    "Cleared",
    "Continued",
    "OutputChange",
    "OutputReducer",
    "RunOutput",
    "Updated",
]


@dataclass(slots=True)
class RunOutput:
    """One output of a run.

    Attributes
    ----------
    output_type
        ``stream``, ``display_data``, ``execute_result`` or ``error``.
    name
        ``stdout`` or ``stderr``, for a stream.
    data, metadata, transient
        The mimebundle and what belongs to it, as in the Jupyter messaging protocol.
    execution_count
        For an ``execute_result``.
    ename, evalue, traceback
        For an ``error``.
    unknown
        What else a file holds of it.
    """

    output_type: str
    name: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    transient: dict[str, Any] = field(default_factory=dict)
    execution_count: int | None = None
    ename: str = ""
    evalue: str = ""
    traceback: list[str] = field(default_factory=list)
    unknown: dict[str, Any] = field(default_factory=dict)
    # A stream of a hundred thousand chunks is joined once it is read, not once per chunk.
    _chunks: list[str] = field(default_factory=list, repr=False)

    @property
    def text(self) -> str:
        """The text of a stream so far."""
        if len(self._chunks) > 1:
            self._chunks[:] = ["".join(self._chunks)]
        return self._chunks[0] if self._chunks else ""

    def keep_end(self, length: int) -> None:
        """Keep only the last characters of a stream's text."""
        self._chunks[:] = [self.text[-length:]]

    @property
    def display_id(self) -> str | None:
        """The id that later updates name, if the output has one."""
        found = self.transient.get("display_id")
        return found if isinstance(found, str) else None

    def to_nbformat(self) -> StreamOutput | DisplayDataOutput | ExecuteResultOutput | ErrorOutput:
        """Return the output as it stands in a notebook file; ``transient`` never does."""
        if self.output_type == "stream":
            return StreamOutput(name=self.name, text=self.text, **self.unknown)
        if self.output_type == "error":
            return ErrorOutput(
                ename=self.ename,
                evalue=self.evalue,
                traceback=list(self.traceback),
                **self.unknown,
            )
        data, metadata = valid_bundle(self.data), dict(self.metadata)
        if self.output_type == "execute_result":
            return ExecuteResultOutput(
                execution_count=self.execution_count, data=data, metadata=metadata, **self.unknown
            )
        return DisplayDataOutput(data=data, metadata=metadata, **self.unknown)


@dataclass(frozen=True, slots=True)
class Appended:
    """A new output stands at the end, at this index."""

    index: int
    output: RunOutput


@dataclass(frozen=True, slots=True)
class Continued:
    """The stream at this index, the last output, goes on with this text."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Updated:
    """The outputs at these indexes show something new.

    ``indexes`` is empty when this run has shown nothing under the display id; another one may have.
    """

    indexes: tuple[int, ...]
    display_id: str
    data: dict[str, Any]
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cleared:
    """The outputs are now exactly these; as kernels clear everything, none."""

    outputs: tuple[RunOutput, ...] = ()


OutputChange: TypeAlias = Appended | Continued | Updated | Cleared


class OutputReducer:
    """Reduces the messages of one run to its outputs.

    Attributes
    ----------
    outputs
        The outputs so far, to be read and not written.
    execution_count
        The kernel's count, once it has said it.

    Examples
    --------
    >>> reducer = OutputReducer()
    >>> reducer.process({"msg_type": "stream", "content": {"name": "stdout", "text": "hello "}})
    [Appended(index=0, output=RunOutput(output_type='stream', name='stdout', ...))]
    >>> reducer.process({"msg_type": "stream", "content": {"name": "stdout", "text": "world"}})
    [Continued(index=0, text='world')]
    >>> reducer.to_nbformat()
    [<Output stdout: 'hello world'>]
    """

    def __init__(self) -> None:
        self.outputs: list[RunOutput] = []
        self.execution_count: int | None = None
        self._clear_pending = False
        self._displays: dict[str, list[int]] = {}

    @property
    def clear_pending(self) -> bool:
        """Whether the next output takes the place of all."""
        return self._clear_pending

    def process(self, message: Mapping[str, Any]) -> list[OutputChange]:
        """Take one iopub message.

        Parameters
        ----------
        message
            A message of the Jupyter messaging protocol; its type is read from ``msg_type`` or the
            header. Messages that are no outputs change nothing.

        Returns
        -------
        list of OutputChange
            What changed, in order.
        """
        msg_type = message.get("msg_type") or message.get("header", {}).get("msg_type")
        content = message.get("content") or {}
        match msg_type:
            case "stream":
                return self._stream(str(content.get("name", "stdout")), content.get("text") or "")
            case "display_data" | "execute_result":
                return self._display(str(msg_type), content)
            case "update_display_data":
                display_id = _transient(content).get("display_id")
                if not isinstance(display_id, str):
                    return []
                return [self.update_display(display_id, content)]
            case "error":
                return self._append(
                    RunOutput(
                        "error",
                        ename=str(content.get("ename", "")),
                        evalue=str(content.get("evalue", "")),
                        traceback=[str(line) for line in content.get("traceback") or ()],
                    )
                )
            case "clear_output":
                if content.get("wait"):
                    self._clear_pending = True
                    return []
                return self._clear()
            case "execute_input":
                self._count(content)
        return []

    def update_display(self, display_id: str, content: Mapping[str, Any]) -> Updated:
        """Show something new in every output of a display id.

        Parameters
        ----------
        display_id
            The id; it may have come up in another run.
        content
            With ``data`` and ``metadata``, as in an ``update_display_data`` message.
        """
        data, metadata = _bundle(content)
        indexes = tuple(self._displays.get(display_id, ()))
        for index in indexes:
            output = self.outputs[index]
            output.data, output.metadata = dict(data), dict(metadata)
            output.unknown = {}
        return Updated(indexes, display_id, data, metadata)

    def to_nbformat(
        self,
    ) -> list[StreamOutput | DisplayDataOutput | ExecuteResultOutput | ErrorOutput]:
        """Return the outputs as they stand in a notebook file."""
        return [output.to_nbformat() for output in self.outputs]

    def adopt(self, output: RunOutput) -> None:
        """Take an output as it is, for example from a store; updates of its display id find it."""
        if output.display_id is not None:
            self._displays.setdefault(output.display_id, []).append(len(self.outputs))
        self.outputs.append(output)

    def _stream(self, name: str, text: str) -> list[OutputChange]:
        if not text:
            return []
        last = self.outputs[-1] if self.outputs and not self._clear_pending else None
        if last is not None and last.output_type == "stream" and last.name == name:
            last._chunks.append(text)
            return [Continued(len(self.outputs) - 1, text)]
        return self._append(RunOutput("stream", name=name, _chunks=[text]))

    def _display(self, msg_type: str, content: Mapping[str, Any]) -> list[OutputChange]:
        data, metadata = _bundle(content)
        output = RunOutput(
            msg_type,
            data=data,
            metadata=metadata,
            transient=dict(_transient(content)),
        )
        if msg_type == "execute_result":
            self._count(content)
            output.execution_count = self.execution_count
        changes: list[OutputChange] = self._clear() if self._clear_pending else []
        display_id = output.display_id
        if display_id is not None:
            if display_id in self._displays:
                changes.append(self.update_display(display_id, content))
            self._displays.setdefault(display_id, []).append(len(self.outputs))
        return changes + self._append(output)

    def _append(self, output: RunOutput) -> list[OutputChange]:
        changes: list[OutputChange] = self._clear() if self._clear_pending else []
        self.outputs.append(output)
        changes.append(Appended(len(self.outputs) - 1, output))
        return changes

    def _clear(self) -> list[OutputChange]:
        self._clear_pending = False
        self._displays.clear()
        if not self.outputs:
            return []  # nothing was shown, so nothing changes
        self.outputs.clear()
        return [Cleared()]

    def _count(self, content: Mapping[str, Any]) -> None:
        count = content.get("execution_count")
        if isinstance(count, int):
            self.execution_count = count


def _bundle(content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return data and metadata of a display without what nobody could read from a file again."""
    return fit_bundle(content.get("data") or {}), fit_metadata(content.get("metadata") or {})


def _transient(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return content.get("transient") or {}
