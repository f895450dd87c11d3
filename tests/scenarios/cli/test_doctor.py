"""``rtu-magics doctor``: a sound installation, and unsound ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rtu_magics.cli import doctor as module
from rtu_magics.cli.doctor import Finding, Grade, doctor

from ...helpers.cli import COMMAND


@pytest.mark.server
@pytest.mark.kernel
def test_a_sound_installation(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "doctor", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "ok    the embedded server starts (" in done.stdout
    assert "ok    a remote kernel says that 1 + 1 is 2 (" in done.stdout
    assert done.stdout.endswith("all good\n")
    assert list(tmp_path.iterdir()) == []


def found(check: module.Check, directory: Path = Path(".")) -> dict[Grade, list[Finding]]:
    grades: dict[Grade, list[Finding]] = {grade: [] for grade in Grade}
    for finding in check(directory):
        grades[finding.grade].append(finding)
    return grades


def test_packages_that_are_missing_or_old(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.importlib.metadata.version
    required = module.importlib.metadata.requires("rtu_magics") or []
    wanted = next(one for one in required if one.startswith("websockets"))

    def version(name: str) -> str:
        if name == "httpx":
            raise module.importlib.metadata.PackageNotFoundError(name)
        return "1.0" if name == "websockets" else real(name)

    monkeypatch.setattr(module.importlib.metadata, "version", version)
    wrong = {finding.what: finding.todo for finding in found(module.packages)[Grade.BAD]}
    assert wrong == {
        f"websockets 1.0 is not {wanted[len('websockets') :]}": f"run: pip install -U '{wanted}'",
        "httpx is missing": "run: pip install -U 'httpx>=0.27'",
    }


def test_a_jupyter_that_does_not_load_the_extension(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import jupyter_core.paths

    monkeypatch.setattr(jupyter_core.paths, "jupyter_config_path", lambda: [str(tmp_path)])
    (finding,) = found(module.jupyter_extension)[Grade.NOTE]
    assert finding.todo.endswith("jupyter server extension enable rtu_magics.server")
    folder = tmp_path / "jupyter_server_config.d"
    folder.mkdir()
    said = {"ServerApp": {"jpserver_extensions": {"rtu_magics.server": False}}}
    (folder / "rtu_magics.json").write_text(json.dumps(said))
    (finding,) = found(module.jupyter_extension)[Grade.NOTE]
    assert "switched off" in finding.what


def test_kernels_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_client.kernelspec import KernelSpecManager

    specs = {
        "broken": {"spec": {"argv": ["/no/such/program"], "language": "R"}},
        "bare": {"spec": {"argv": [_python_without_us()], "language": "python"}},
    }
    monkeypatch.setattr(KernelSpecManager, "get_all_specs", lambda self: specs)
    grades = found(module.kernels)
    assert "the kernel broken starts '/no/such/program', which is not there" in [
        finding.what for finding in grades[Grade.NOTE]
    ]
    assert [finding.what for finding in grades[Grade.GOOD]] == ["kernels: bare"]
    monkeypatch.setattr(KernelSpecManager, "get_all_specs", lambda self: {})
    (finding,) = found(module.kernels)[Grade.BAD]
    assert finding.todo == "run: python -m ipykernel install --user"


def _python_without_us() -> str:
    return str(getattr(sys, "_base_executable", sys.executable))


def test_a_directory_that_takes_nothing(tmp_path: Path) -> None:
    (finding,) = found(module.state_directory, tmp_path / "missing")[Grade.BAD]
    assert "is no directory" in finding.what
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    assert found(module.state_directory, blocked)[Grade.BAD] == []
    assert list(blocked.iterdir()) == []


def test_a_certificate_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/ca.pem")
    (finding,) = found(module.surroundings)[Grade.BAD]
    assert finding.todo == "correct it, or unset SSL_CERT_FILE"
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:secret@proxy:3128")
    (finding,) = found(module.surroundings)[Grade.NOTE]
    assert finding.what == "connections to the outside go through http://***@proxy:3128"


def test_a_check_that_fails_itself_counts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def explode(_: Path) -> object:
        raise RuntimeError("of all things")

    assert doctor(str(tmp_path), (explode, module.port)) == 1  # type: ignore[arg-type]
    out = capsys.readouterr().out
    assert "BAD   the check of explode failed: RuntimeError: of all things" in out
    assert out.endswith("1 thing has to be put right\n")
