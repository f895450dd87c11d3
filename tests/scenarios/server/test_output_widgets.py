"""What Output widgets capture stays with them, and leaves the outputs of their cell alone."""

from __future__ import annotations

import pytest

from .test_late_outputs import LATE_TASK, Scene, scene

__all__ = ["scene"]

pytestmark = [pytest.mark.server, pytest.mark.kernel]

WIDGETS = """
import ipywidgets
from IPython.display import clear_output, display
out = ipywidgets.Output()
print("important", flush=True)
"""


async def of(scene: Scene, code: str) -> list[str]:
    await scene.run("c1", WIDGETS + code)
    return await scene.stored(scene.collection_of("c1"))


async def test_a_progress_bar_of_rich(scene: Scene) -> None:
    code = "from rich.progress import track\nfor _ in track(range(3), 'counting'): pass"
    found = await of(scene, code)
    assert found[0] == "important\n"
    assert "counting" in found[1]
    await scene.until_on_disk("c1", "counting")
    assert "important" in scene.on_disk("c1")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("display(out)\nwith out: print('in'); clear_output(); print('it')", ["it"]),
        ("display(out)\nwith out: clear_output(wait=True)\nprint('!')", ["Output()", "!\n"]),
        ("display(out)\n@out.capture()\ndef f(): 1 / 0\nf()\nprint('on')", ["ZeroDiv", "on\n"]),
        ("@ipywidgets.interact(x=3)\ndef f(x): print('x is', x)", ["x is 3"]),
        ("display(out)\nout.append_stdout('appended')", ["appended"]),
        ("with out: print('never shown')", []),
    ],
)
async def test_ways_to_capture(scene: Scene, code: str, shown: list[str]) -> None:
    found = await of(scene, code)
    assert found[0] == "important\n"
    assert len(found) == 1 + len(shown)
    assert all(part in text for part, text in zip(shown, found[1:], strict=True)), found


async def test_what_is_captured_late(scene: Scene) -> None:
    code, gate = scene.code(
        WIDGETS + LATE_TASK.replace("{do}", "\n    with out: print('late')\n    print('mine')")
    )
    await scene.run("c1", code.replace("task =", "display(out); task ="))
    gate.touch()
    await scene.text("mine")
    await scene.until_on_disk("c1", "late")
    assert await scene.stored(scene.collection_of("c1")) == [
        "important\n",
        "late",
        "early\nmine\n",
    ]
