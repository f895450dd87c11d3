"""The same programs in the languages of several kernels, and what these kernels make of them.

What is said here of a kernel was seen with the version that ``.ci/kernels`` installs.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtu_magics.models import EndReason

__all__ = ["KERNELS", "Language"]

_PYTHON = "import time\nprint('begun', flush=True)\n"


@dataclass(frozen=True)
class Language:
    """One kernel.

    Attributes
    ----------
    name
        Of its kernelspec.
    needs
        What to install beside ``.ci/kernels``.
    prints, printed
        A program, and what it writes.
    fails, told
        A program that fails, and what a person is told of it.
    runs_long
        A program that runs for a minute.
    interrupt
        What an interrupt does to it: ``stops`` the program, ``kills`` the kernel, or is not heeded
        for long (``deaf``).
    asks
        A program that asks for a line and writes it; None if the kernel never asks.
    alone
        How that ends when nobody can answer: ours (`EndReason.STDIN`), or an error of its own.
    incomplete
        A program that lacks its end, where the kernel says nothing at all of it.
    before
        What has to run first.
    ename
        The name of the error of the failing program.
    loses_output
        Whether output is lost now and then, also with Jupyter's own client: on a busy machine it
        does not wait for what reads its programs' output.
    """

    name: str
    prints: str
    printed: str
    fails: str
    told: str
    runs_long: str
    needs: str = ""
    interrupt: str = "stops"
    asks: str | None = None
    alone: str = EndReason.STDIN
    incomplete: str | None = None
    before: str | None = None
    ename: str = ""
    loses_output: bool = False


KERNELS = [
    Language(
        "python3",
        "print('out', 6 * 7)",
        "out 42\n",
        "raise ValueError('the kernel died')",
        "raised ValueError: the kernel died",
        f"{_PYTHON}time.sleep(60)",
        asks="print('got', input('n? '))",
        ename="ValueError",
    ),
    Language(
        "bash",
        "echo out $((6*7))",
        "out 42\n",
        "echo 'no kernel' >&2; false",
        "failed: 1",
        "echo begun; sleep 60",
        needs="bash",
        incomplete="if true; then",
    ),
    Language(
        "octave",
        "printf('out %d\\n', 6*7)",
        "out 42",
        # Errors of a program are text and an ``ok``; this one is the kernel's own.
        "x = input('n? ')",
        "failed: Error: raw_input was called, but this frontend does not support input requests.",
        "disp('begun'); pause(60)",
        needs="octave",
        ename="Error",
    ),
    Language(
        "gnuplot",
        "print 6*7",
        "42",
        "nope nope",
        "failed: Error: nope nope",
        "pause 60",
        needs="gnuplot (gnuplot-nox)",
        ename="Error",
    ),
    Language(
        "duckdb",
        "select 6*7 as answer",
        "42",
        "select kernel",
        'failed: DatabaseError: Binder Error: Referenced column "kernel" was not found',
        "select count(*) from range(40000) a, range(1000000) b where a.range + b.range > 5",
        interrupt="deaf",  # a query looks for signals between its tasks, which may take minutes
        before="%CREATE :memory:",
        ename="DatabaseError",
    ),
    Language(
        "c",
        '#include <stdio.h>\nint main(){printf("out %d\\n", 6*7);}',
        "out 42\n",
        # It says ``ok`` to what does not compile: there is no program that fails.
        "",
        "",
        "#include <unistd.h>\nint main(){sleep(60);}",
        needs="gcc",
        loses_output=True,
    ),
    Language(
        "scheme",
        "(display (* 6 7))",
        "42",
        '(error "kernel" "gone")',
        "failed: RunTimeError: Error in 'kernel': gone",
        "(let loop () (loop))",
        ename="RunTimeError",
    ),
    Language(
        "xpython",
        "print('out', 6 * 7)",
        "out 42\n",
        "1/0",
        "raised ZeroDivisionError: division by zero",
        f"{_PYTHON}time.sleep(60)",
        interrupt="kills",
        asks="print('got', input('n? '))",
        alone=EndReason.ERROR,
        ename="ZeroDivisionError",
    ),
    Language(
        "async",
        "print('out', 6 * 7)",
        "out 42\n",
        "1/0",
        "raised ZeroDivisionError: division by zero",
        f"{_PYTHON}time.sleep(60)",
        asks="print('got', input('n? '))",
        alone=EndReason.ERROR,
        ename="ZeroDivisionError",
    ),
    Language(
        "deno",
        "console.log('out', 6 * 7)",
        "out 42\n",
        "throw new Error('no kernel')",
        "raised Error: no kernel",
        "console.log('begun'); await new Promise((r) => setTimeout(r, 60000))",
        interrupt="kills",
        ename="Error",
    ),
    Language(
        "tslab",
        "6 * 7",
        "42\n",
        "let kernel: number = nothing",
        "failed: Error: 1:22 - Cannot find name 'nothing'.",
        "while (true) {}",
        needs="Node.js and npm",
        ename="Error",
    ),
    Language(
        "ir",
        "cat('out', 6 * 7, '\\n')",
        "out 42",
        "stop('no kernel')",
        "raised ERROR: Error in eval(expr, envir, enclos): no kernel",
        "cat('begun\\n'); flush.console(); Sys.sleep(60)",
        needs="R and IRkernel (r-cran-irkernel)",
        asks="cat('got', readline('n? '), '\\n')",
        ename="ERROR",
    ),
]
