"""``asyncio.run`` inside a cell: an opt-in, because it patches asyncio for the whole process.

The magics never need it. It is for people who run the asynchronous client themselves where an
event loop runs already, as in every Jupyter kernel.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..errors import RTUError

__all__ = ["allow_nesting"]


def allow_nesting(loop: Any = None) -> None:
    """Make event loops reentrant; there is no way back in this process.

    Parameters
    ----------
    loop
        The loop to begin with; the running one, or else IPython's, by default.

    Raises
    ------
    RTUError
        nest_asyncio is not installed, or cannot patch this kind of loop.
    """
    if loop is None:
        loop = _present_loop()
    if not isinstance(loop, asyncio.BaseEventLoop):
        kind = type(loop).__module__.partition(".")[0]
        raise RTUError(
            f"the event loop here is one of {kind}, which cannot be nested; write 'await …' "
            f"instead of asyncio.run(…), or start the kernel without {kind}"
        )
    try:
        import nest_asyncio
    except ImportError:
        raise RTUError("nest_asyncio is not installed here: %pip install nest-asyncio") from None
    nest_asyncio.apply(loop)


def _present_loop() -> Any:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        from IPython.core import async_helpers

        helpers: Any = async_helpers
        return helpers.get_asyncio_loop()
