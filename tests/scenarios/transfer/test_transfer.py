"""%rtu_push and %rtu_get between a shell here and a real remote kernel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from tests.scenarios.ipython.conftest import interactive_shell
from tests.scenarios.ipython.shells import Shell

pytestmark = [pytest.mark.kernel, pytest.mark.server]


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    work = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch, interactive_shell(work / "ipython") as ip:
        patch.chdir(work)
        assert ip.run_cell("%rtu_connect data.ipynb --new").success
        assert ip.run_cell("%rtu_kernel start").success
        yield ip


@pytest.fixture
def lab(connected: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(connected, capsys)


def test_there_and_back(lab: Shell) -> None:
    ns = lab.ip.user_ns
    ns.update(limits={"a": [1, 2**80]}, array=np.arange(6).reshape(2, 3))
    said = lab.ok("%rtu_push limits array")
    assert said.splitlines()[0] == "sent limits: 35 bytes"
    assert said.splitlines()[1].endswith(" as .npy")
    assert lab.ok("%%rtu_exec\nprint(limits, array.shape)") == (
        "{'a': [1, 1208925819614629174706176]} (2, 3)\n"
    )
    lab.ok("%%rtu_exec\nlimits['b'] = (None,)\narray = array * 2")
    said = lab.ok("%rtu_get limits array")
    assert "fetched limits: " in said
    assert said.splitlines()[0].endswith("; it took the place of a variable of type dict")
    assert ns["limits"] == {"a": [1, 2**80], "b": (None,)}
    assert ns["array"].tolist() == [[0, 2, 4], [6, 8, 10]]
    said = lab.ok("%rtu_push limits")
    assert said.endswith("; it took the place of a variable of type dict\n")


def test_nothing_is_left_behind(lab: Shell) -> None:
    lab.ip.user_ns["x"] = 1
    count = lab.ok("%%rtu_exec\nprint(get_ipython().execution_count)")
    lab.ok("%rtu_push x")
    lab.ok("%rtu_get x")
    after = lab.ok(
        "%%rtu_exec\nimport linecache\nprint(get_ipython().execution_count)\n"
        "print([n for n in dir() if 'rtu' in n or n in ('call', 'text', 'module')], Out, "
        "[k for k, v in linecache.cache.items() if 'sha' + '256' in ''.join(v[2])])"
    )
    assert after == f"{int(count) + 1}\n[] {{}} []\n"
    assert "scratch" not in lab.ok("%rtu_runs")


def test_in_many_pieces(lab: Shell) -> None:
    import random

    data = random.Random(0).randbytes(6_000_000)
    lab.ip.user_ns["data"] = data
    lab.ok("%rtu_push data")
    lab.ok("%%rtu_exec\ndata = data[::-1]")
    lab.ok("%rtu_get data")
    assert lab.ip.user_ns["data"] == data[::-1]


def test_what_is_damaged_is_refused(lab: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from rtu_magics.session.transfer import codec as packing

    lab.ip.user_ns["x"] = [1, 2]
    monkeypatch.setattr(packing, "checksum", lambda payload: "0" * 64)
    assert lab.line("%rtu_push x") == (
        "RTUError: x was not sent: it was damaged on the way (its checksum is wrong); try again"
    )
    assert "x was damaged on the way" in lab.line("%rtu_get x")


def test_a_missing_library_there(lab: Shell) -> None:
    import pandas as pd

    lab.ip.user_ns["frame"] = pd.DataFrame({"a": [1]})
    lab.ok(
        "%%rtu_exec\nimport sys; kept = sys.modules.get('pyarrow'); sys.modules['pyarrow'] = None"
    )
    try:
        assert lab.line("%rtu_push frame") == (
            "RTUError: frame was not sent: pyarrow is not installed in the remote kernel's "
            "environment"
        )
    finally:
        lab.ok("%%rtu_exec\ndel sys.modules['pyarrow']")
    assert lab.ok("%rtu_push frame").startswith("sent frame: ")


def test_who_may_only_run_cells_may_not(lab: Shell) -> None:
    from rtu_magics.session import sessions

    url = sessions.get("data").share("executor", name="guest").url
    lab.ip.user_ns["x"] = 1
    lab.ok(f"%rtu_connect {url} -s guest")
    try:
        for magic in ("%rtu_push x -s guest", "%rtu_get x -s guest"):
            assert "ask an owner to make you a contributor" in lab.line(magic)
    finally:
        lab.ok("%rtu_disconnect -s guest")


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        (
            "%rtu_push nope",
            "RTUError: there is no variable nope here; nothing was sent under this name",
        ),
        (
            "%rtu_get nope",
            "RTUError: there is no variable nope in the remote kernel; %rtu_vars lists what there "
            "is",
        ),
        ("%rtu_get a.b", "RTUError: 'a.b' is no name of a variable"),
        ("%rtu_get class", "RTUError: 'class' is no name of a variable"),
        (
            "%rtu_push print",
            "RTUError: there is no variable print here; nothing was sent under this name",
        ),
        (
            "%rtu_get get_ipython",
            "RTUError: get_ipython was not fetched: it is a method, which cannot be copied; what "
            "can: plain values (numbers, text, bytes, lists, dicts …), and by themselves NumPy "
            "arrays, pandas and Arrow tables",
        ),
        (
            "%rtu_push big",
            "RTUError: big takes 2.0 MB, more than the 1.0 MB that are allowed; %rtu_config "
            "transfer_limit 3 allows it",
        ),
        (
            "%rtu_get big",
            "RTUError: big takes 2.0 MB, more than the 1.0 MB that are allowed; %rtu_config "
            "transfer_limit 3 allows it",
        ),
        (
            "%rtu_push",
            "UsageError: the following arguments are required: VARIABLE; see %rtu_push?",
        ),
    ],
)
def test_bad_input(lab: Shell, cell: str, line: str) -> None:
    lab.ip.user_ns["big"] = "x" * 2_000_000
    if cell == "%rtu_get big":
        lab.ok("%%rtu_exec\nbig = 'x' * 2_000_000")
    lab.ok("%rtu_config transfer_limit 1")
    try:
        assert lab.line(cell) == line
    finally:
        lab.ok("%rtu_config transfer_limit 100")


def test_completion(lab: Shell) -> None:
    lab.ip.user_ns["quantity_1"] = 1
    with provisionalcompleter():
        found = [c.text for c in lab.ip.Completer.completions("%rtu_push quant", 15)]
    assert "quantity_1" in found
