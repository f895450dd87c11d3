"""Asking here what a remote cell wants to know: ``input()`` and ``getpass()``."""

from __future__ import annotations

import builtins
import getpass
import os
import signal
import threading
from typing import Any

from IPython.core.error import StdinNotImplementedError

from ...errors import RTUError
from ...foreign import shown
from ...session import Execution, InputRequested
from ...session.execution.execution import END_OF_FILE

__all__ = ["Asker", "CannotAsk", "can_ask"]


class CannotAsk(RTUError):
    """The front end takes no input."""


def can_ask(shell: Any) -> bool:
    """Whether the user can be asked something while this cell runs.

    A program that runs notebooks (nbclient, nbconvert, papermill) takes no input, and says so.
    """
    kernel = getattr(shell, "kernel", None)
    return kernel is None or bool(getattr(kernel, "_allow_stdin", True))


class Asker:
    """Asks the questions of one run, on the calling thread.

    A question that is answered by nobody any more, because the cell was interrupted remotely, is
    taken back: otherwise the local cell would wait for an answer that nobody needs.

    Parameters
    ----------
    execution
        The run.
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._lock = threading.Lock()
        self._asking = self._withdrawn = False
        execution.on_withdrawn = self._withdraw

    def answer(self, event: InputRequested) -> bool:
        """Ask, and send the answer; returns whether the cell still waited for it.

        Raises
        ------
        CannotAsk
            The front end takes no input.
        KeyboardInterrupt
            The user wants no more of it.
        """
        try:
            value = self._ask(event)
        except EOFError:
            value = END_OF_FILE
        except (StdinNotImplementedError, OSError):
            raise CannotAsk(
                "the remote cell asked for input, which this front end cannot take; it was "
                "interrupted"
            ) from None
        return value is not None and self._execution.answer(event.request_id, value)

    def _ask(self, event: InputRequested) -> str | None:
        """Return the answer, None if the question was taken back."""
        with self._lock:
            question = self._execution.question
            if question is None or question.request_id != event.request_id:
                return None
            self._asking, self._withdrawn = True, False
        try:
            try:
                # Looked up at each call: a kernel puts its own in their places.
                ask = getpass.getpass if event.password else builtins.input
                return ask(shown(event.prompt, lines=True, colours=True))
            finally:
                with self._lock:
                    self._asking = False
        except KeyboardInterrupt:
            if self._withdrawn:
                return None
            raise

    def _withdraw(self) -> None:
        """End the local question; on the background thread."""
        with self._lock:
            if self._asking:
                self._withdrawn = True
                _interrupt_main()


def _interrupt_main() -> None:
    """Interrupt what the main thread waits for, as Ctrl-C does."""
    if os.name == "posix":
        # To this very thread: only then does a blocking read end.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        import _thread

        _thread.interrupt_main()
