#!/usr/bin/env bash
# Two kernels that do not say that an interrupt has stopped a cell: one replies "ok", one never replies.
#
# gnuplot_kernel 0.5.0 (metakernel 1.0.7) takes SIGINT during "pause 60", stops the pause, and replies
# {"status": "ok"}; jupyter-c-kernel 1.2.2 takes SIGINT during sleep(60), says that it is idle, and
# sends no execute_reply at all. A client that reads only the reply takes the first for a success and
# waits for ever for the second. Jupyter's messaging protocol asks for an execute_reply to each
# request, with status "error" (or "aborted") for what did not run to its end.
# Needs gnuplot and gcc. Seen: "gnuplot: reply ok, idle" and "c: reply none, idle".
set -euo pipefail
for program in gnuplot gcc; do
  command -v "$program" > /dev/null || { echo "needs $program" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check ipykernel==7.4.0 jupyter_client==8.10.0 \
  metakernel==1.0.7 gnuplot_kernel==0.5.0 jupyter-c-kernel==1.2.2
cd "$folder"
JUPYTER_PATH="$folder/share" venv/bin/python - << 'PYTHON'
import json
import os
import queue
import sys
import time

from jupyter_client.manager import KernelManager

PROGRAMS = {
    "gnuplot": ("gnuplot_kernel", "pause 60", ("ok", True)),
    "c": ("jupyter_c_kernel", "#include <unistd.h>\nint main(){sleep(60);}", (None, True)),
}
changed = False
for name, (module, code, expected) in PROGRAMS.items():
    folder = os.path.join(os.environ["JUPYTER_PATH"], "kernels", name)
    os.makedirs(folder)
    argv = [sys.executable, "-m", module, "-f", "{connection_file}"]
    with open(os.path.join(folder, "kernel.json"), "w") as file:
        json.dump({"argv": argv, "display_name": name, "language": name}, file)
    manager = KernelManager(kernel_name=name)
    manager.start_kernel(stderr=open(os.devnull, "w"))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        asked, began, sent = client.execute(code), None, False
        reply, idle, until = None, False, time.monotonic() + 60
        while time.monotonic() < until and not (idle and reply):
            for get in (client.get_iopub_msg, client.get_shell_msg):
                try:
                    message = get(timeout=0.05)
                except queue.Empty:
                    continue
                if message["parent_header"].get("msg_id") != asked:
                    continue
                if message["msg_type"] == "execute_input":
                    began = time.monotonic()
                elif message["msg_type"] == "execute_reply":
                    reply = message["content"]["status"]
                elif message["content"].get("execution_state") == "idle":
                    idle, until = True, min(until, time.monotonic() + 10)
            if began and not sent and time.monotonic() - began > 3:
                manager.interrupt_kernel()
                sent = True
        print(f"{name}: reply {reply or 'none'}, {'idle' if idle else 'not idle'}")
        changed = changed or (reply, idle) != expected or not sent
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
sys.exit(1 if changed else 0)
PYTHON
