"""What a run gave, kept instead of shown: ``-o NAME`` and ``x = %rtu_exec …``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ...foreign import shown
from ...session.events import Event, OutputsUpdated, PayloadReceived
from ...session.execution.outputs import OutputFold
from ..text.notebook import output_text
from .bundles import filter_bundle

if TYPE_CHECKING:
    from ...errors import RTUError
    from ...models import Output

__all__ = ["RunResult"]


class _Kept:
    """One output; its text is joined when somebody looks: piece by piece would be quadratic.

    Whoever looks may do so on another thread than the one that follows the run, which alone adds.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._more: list[str] = []
        self._joined = (0, output)  # of how many pieces, and what they make

    def grow(self, text: str) -> None:
        self._more.append(text)

    def show(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        self._output = self._output.model_copy(update={"data": data, "metadata": metadata})
        self._joined = (0, self._output)

    @property
    def output(self) -> Output:
        pieces, (count, joined) = self._more[:], self._joined
        content = self._output.content
        if len(pieces) == count or content is None:
            return joined
        text = "".join([content.raw or "", *pieces])
        content = content.model_copy(update={"raw": text})
        joined = self._output.model_copy(update={"content": content})
        self._joined = (len(pieces), joined)
        return joined


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
        self._fold = OutputFold(
            lambda output: _Kept(self._whole(output)), _Kept.grow, self._show_new
        )
        self.payload: list[dict[str, Any]] = []

    @property
    def outputs(self) -> list[Output]:
        """Every output, in order, as a remote one (`rtu_magics.models.Output`)."""
        return [kept.output for kept in self._fold]

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
            value = getattr(self.error, "evalue", "")
            return shown(f"{remote}: {value}" if value else remote)
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
        if isinstance(event, PayloadReceived):
            self.payload += event.payload
        else:
            self._fold.take(event)

    def _show_new(self, kept: _Kept, event: OutputsUpdated) -> None:
        fetched = self._fetch(event.links) if event.links else {}
        kept.show({**event.data, **fetched}, event.metadata)

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
