"""Which kernel a notebook is run on."""

from __future__ import annotations

from typing import Any

import pytest

from rtu_magics.errors import KernelUnknown
from rtu_magics.server.kernel.names import choose_kernel

INSTALLED = {"python3": "python", "ir": "R", "xpython": "python", "bash": "bash", "tslab": "ts"}


def spec(name: str, language: str | None = None) -> dict[str, Any]:
    return {"kernelspec": {"name": name, **({"language": language} if language else {})}}


@pytest.mark.parametrize(
    ("wanted", "metadata", "chosen", "told"),
    [
        (None, {}, "python3", None),
        ("ir", {}, "ir", None),
        ("IR", {}, "ir", None),
        ("python", {}, "python3", None),
        ("Python3", {}, "python3", None),
        (None, spec("python"), "python3", None),
        (None, spec("Bash"), "bash", None),
        (None, {"language_info": {"name": "R"}}, "ir", "the notebook names no kernel"),
        (None, {"language_info": {"name": "r"}}, "ir", "ir speaks r as it does"),
        (None, {"language_info": {"name": "python"}}, "python3", None),
        (None, spec("conda-env-x-py", "python"), "python3", "names the kernel conda-env-x-py"),
        (None, {**spec("ir41"), "language_info": {"name": "R"}}, "ir", "not installed here"),
        ("bash", {"language_info": {"name": "R"}}, "bash", None),
        (None, {"kernelspec": "odd", "language_info": ["odd"]}, "python3", None),
        (None, {"kernelspec": {"name": 3, "language": 4}}, "python3", None),
    ],
)
def test_chosen(
    wanted: str | None, metadata: dict[str, Any], chosen: str, told: str | None
) -> None:
    name, note = choose_kernel(wanted, metadata, "python3", INSTALLED)
    assert name == chosen
    assert (note is None) if told is None else (note is not None and told in note)


@pytest.mark.parametrize(
    ("wanted", "metadata", "told"),
    [
        ("nope", {}, "no kernel named 'nope'; installed: bash, ir, python3, tslab, xpython"),
        (None, spec("nope"), "no kernel named 'nope'; installed: "),
        (None, spec("nope", "julia"), "no kernel named 'nope', and none for julia; installed: "),
        (None, {"language_info": {"name": "julia"}}, "no kernel for julia; installed: "),
    ],
)
def test_nothing_fits(wanted: str | None, metadata: dict[str, Any], told: str) -> None:
    with pytest.raises(KernelUnknown) as raised:
        choose_kernel(wanted, metadata, "python3", INSTALLED)
    assert str(raised.value).startswith(told)


def test_nothing_is_installed() -> None:
    with pytest.raises(KernelUnknown, match="installed: none"):
        choose_kernel(None, {}, "python3", {})
