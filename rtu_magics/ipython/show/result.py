"""What a run gave, kept instead of shown: ``-o NAME`` and ``x = %rtu_exec …``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ...foreign import shown
from ...session.events import (
    Event,
    OutputAppended,
    OutputContinued,
    OutputsCleared,
    OutputsUpdated,
    PayloadReceived,
)
from ..text.notebook import output_text
from .bundles import filter_bundle

if TYPE_CHECKING:
    from uuid import UUID

    from ...errors import RTUError
    from ...models import Output

__all__ = ["RunResult"]


class RunResult:
    """The outputs of a run.

    Attributes
    ----------
    error
        What the run ended with: None, or the error that the magic raised.
    payload
        What its cells' replies ask of a front end (help, code for the next cell), unchanged.

    Examples
    --------
    ::

        result = %rtu_exec 3
        result.text          # what it wrote and showed, as text
        result.data          # the mimebundle of the last thing that it showed
    """

    def __init__(
        self,
        fetch: Callable[[dict[str, str]], dict[str, Any]] = lambda links: {},
        trusts: Callable[[], bool] = lambda: True,
    ):
        self.error: RTUError | None = None
        self._trusts = trusts
        self._fetch = fetch
        self._outputs: list[Output] = []
        self.payload: list[dict[str, Any]] = []
        self._more: dict[UUID, list[str]] = {}  # output id → pieces of text to come after it

    @property
    def outputs(self) -> list[Output]:
        """Every output, in order, as a remote one (`rtu_magics.models.Output`)."""
        # Joined here and not piece by piece, which would be quadratic.
        for index, output in enumerate(self._outputs if self._more else ()):
            pieces = self._more.pop(output.id, None)
            if pieces and output.content is not None:
                text = "".join([output.content.raw or "", *pieces])
                content = output.content.model_copy(update={"raw": text})
                self._outputs[index] = output.model_copy(update={"content": content})
        return self._outputs

    @property
    def text(self) -> str:
        """Everything it wrote and showed, as text, without tracebacks."""
        return "".join(_lines(o for o in self.outputs if o.type != "error"))

    @property
    def data(self) -> dict[str, Any]:
        """The mimebundle of the last thing that it displayed or returned; empty if none."""
        for output in reversed(self.outputs):
            if output.type in ("display_data", "execute_result") and output.data:
                return dict(output.data)
        return {}

    def __repr__(self) -> str:
        count = len(self.outputs)
        failed = f", failed with {self._failure}" if self.error is not None else ""
        return f"<RunResult of {count} output{'' if count == 1 else 's'}{failed}>"

    @property
    def _failure(self) -> str:
        """What it failed with, as the remote kernel or else this one calls it."""
        remote = getattr(self.error, "ename", None)
        if remote:
            return shown(f"{remote}: {getattr(self.error, 'evalue', '')}")
        return f"{type(self.error).__name__}: {self.error}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Show the last thing displayed, and all the text where only text can be shown."""
        text = shown(self.text, lines=True, colours=True)
        if self.error is not None:  # whatever it had shown before, that is not all
            return {"text/plain": f"{text.rstrip()}\n{self!r}".lstrip()}
        return {
            **filter_bundle(self.data, trusted=self._trusts()),
            "text/plain": text or repr(self),
        }

    def take(self, event: Event) -> None:
        """Note an output event; others are ignored."""
        if isinstance(event, OutputAppended):
            self.outputs.append(self._whole(event.output))
        elif isinstance(event, PayloadReceived):
            self.payload += event.payload
        elif isinstance(event, OutputContinued):
            if event.output.content is not None:
                pieces = self._more.setdefault(event.output.id, [])
                pieces.append(event.output.content.raw or "")
        elif isinstance(event, OutputsCleared):
            # Other cells of the same run keep theirs.
            kept = [o for o in self.outputs if o.parent_collection_id != event.collection_id]
            self.outputs[:] = [*kept, *map(self._whole, event.outputs)]
        elif isinstance(event, OutputsUpdated):
            new = {
                "data": {**event.data, **(self._fetch(event.links) if event.links else {})},
                "metadata": event.metadata,
            }
            for index, output in enumerate(self.outputs):
                if output.id in event.output_ids:
                    self.outputs[index] = output.model_copy(update=new)

    def _whole(self, output: Output) -> Output:
        """Return an output with what comes by link in it."""
        if not output.links or output.type == "stream":
            return output
        data = {**(output.data or {}), **self._fetch(output.links)}
        return output.model_copy(update={"data": data})


def _lines(outputs: Iterable[Output]) -> Iterable[str]:
    """Yield texts such that what was displayed stands on lines of its own."""
    at_line_start = True
    for output in outputs:
        text = (output.data or {}).get("text/plain")
        shown = output_text(output) if text is None else str(text)
        if output.type != "stream":
            shown = f"{'' if at_line_start else chr(10)}{shown}\n"
        if shown:
            yield shown
            at_line_start = shown.endswith("\n")
