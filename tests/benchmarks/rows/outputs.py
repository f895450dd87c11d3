"""A remote cell that says much: until its run is over and the caller's screen has all of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from ..harness import Bench, Row, undisturbed
from ..live import local_kernel, remote_magics, time_each

CELLS = {
    "10,000 prints": "for i in range(10_000): print(i)",
    "100,000 lines in one print": "print('\\n'.join(map(str, range(100_000))))",
    "1,000 displays": "for i in range(1_000): display(i)",
    "500 clear_output": (
        "from IPython.display import clear_output\n"
        "for i in range(500): clear_output(wait=True); print(i)"
    ),
    "a 5 MB picture": (
        "import base64, os\n"
        "png = base64.b64encode(os.urandom(3_750_000)).decode()\n"
        "display({'image/png': png, 'text/plain': 'picture'}, raw=True)"
    ),
}


def rows(bench: Bench) -> Iterator[Row]:
    with local_kernel() as local, remote_magics() as (magic, processor):
        for what, code in CELLS.items():
            floor: list[float] = []
            ours: list[float] = []
            processor.used = 0.0
            local(code)
            magic("rtu_exec --scratch", code)
            with undisturbed():
                for _ in range(bench.repeat(9)):  # in turns, so that both see the same machine
                    floor += time_each(lambda code=code: local(code), 1)
                    with processor.measured():
                        ours += time_each(lambda code=code: magic("rtu_exec --scratch", code), 1)
            medians = (statistics.median(found) / 1000 for found in (floor, ours))
            yield Row(f"%%rtu_exec of {what}", "execute_interactive", *medians, unit="ms")
            spent = processor.used / len(ours) * 1000
            yield Row("… processor time of client and server", "–", None, spent, unit="ms")
