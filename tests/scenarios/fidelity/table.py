"""Reading the table of programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["PROGRAMS", "Program"]


@dataclass
class Program:
    """One program: its cells, what the user does meanwhile, and why its messages may differ."""

    name: str
    cells: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    interrupt: str | None = None
    shows_the_same: str | None = None
    late: str | None = None


def read(path: Path) -> list[Program]:
    """Return the programs of a table."""
    programs: list[Program] = []
    lines: list[str] = []

    def end_cell() -> None:
        if programs and any(lines):
            programs[-1].cells.append("\n".join(lines).strip("\n"))
        lines.clear()

    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("==== "):
            end_cell()
            programs.append(Program(line[5:]))
        elif line.startswith("---- answer: "):
            programs[-1].answers.append(line[13:])
        elif line.startswith("---- interrupt: "):
            programs[-1].interrupt = line[16:]
        elif line.startswith("---- late: "):
            programs[-1].late = line[11:]
        elif line.startswith("---- shows the same: "):
            programs[-1].shows_the_same = line[21:]
        elif line.startswith("---- "):
            end_cell()
        elif programs:
            lines.append(line)
    end_cell()
    return programs


PROGRAMS = read(Path(__file__).with_name("programs.txt"))
