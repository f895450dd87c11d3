"""A kernel that refuses cells, and asks although it may not, when its cells say so.

``#refuse``: it answers ``abort`` as long as there is a file ``refuse``, and notes each refusal as a
line of ``refused``. ``#ask``: it asks for input whether that is allowed or not, does not heed an
interrupt there, and ends by itself a moment later. ``#late``: it does not say that it has begun,
and ends a moment later. Everything else runs as usual.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp


class OddKernel(IPythonKernel):
    implementation = "odd"

    async def execute_request(self, stream: Any, ident: Any, parent: Any) -> None:
        code = parent["content"]["code"]
        if code.startswith("#refuse") and Path("refuse").exists():
            with Path("refused").open("a") as noted:
                noted.write("once\n")
            content: dict[str, Any] = {"status": "aborted"}
        elif code.startswith("#ask"):
            prompt = {"prompt": "? ", "password": False}
            self.session.send(
                self.stdin_socket, "input_request", prompt, parent=parent, ident=ident
            )
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            time.sleep(0.5)
            content = {"status": "ok", "execution_count": 1, "user_expressions": {}}
        elif code.startswith("#late"):
            time.sleep(1.0)
            content = {"status": "ok", "execution_count": 1, "user_expressions": {}}
        else:
            await super().execute_request(stream, ident, parent)
            return
        self.session.send(stream, "execute_reply", content, parent=parent, ident=ident)


if __name__ == "__main__":
    IPKernelApp.launch_instance(kernel_class=OddKernel)
