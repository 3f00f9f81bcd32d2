"""LaTeX: what comes from data is text in a cell, and never leaves its comment."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import compare_runs
from msgspec import structs

from grubench.comparison.comparison import Failure
from grubench.reports.export import format_comparison
from grubench.reports.latex import escape_latex
from grubench.runs.records import LayerKernel
from grubench.runs.run import Run

BREAKS = ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("line_break", BREAKS)
def test_nothing_leaves_a_comment(trained: dict[str, Run], line_break: str) -> None:
    evil = f"x{line_break}\\input{{/etc/passwd}}{line_break}\\write18{{true}}^^M^^5cinput"
    kernel = LayerKernel(layer=evil, kernel=evil, reasons=(evil,), fused_reasons=(evil,))
    runs = {
        name.upper(): [replace(run, environment=structs.replace(run.environment, kernels=(kernel,), devices=(evil,)))]
        for name, run in trained.items()
    }
    failure = Failure(arm=evil, seed=1, message=evil, remedy=evil)
    text = format_comparison(compare_runs(runs, notes=(evil,), failures=(failure,)), ".tex")
    assert not set("\r\x0b\x0c\x1c\x85\u2028\u2029") & set(text)
    for line in text.split("\n"):
        assert line.startswith("%") or "input" not in line
        assert line.startswith("%") or "write18" not in line


def test_no_comment_is_a_setting_of_an_editor(trained: dict[str, Run]) -> None:
    text = format_comparison(compare_runs({"GRU": [trained["gru"]]}, notes=("!TEX program = x", "arara: x")), ".tex")
    for line in text.splitlines():
        assert not line.removeprefix("%").lstrip().startswith(("!TEX", "arara"))


def test_what_latex_takes_for_commands_is_escaped() -> None:
    assert escape_latex("\\a{b} $x$ a_b^^M #1 50% ~ & [2]\nc") == (
        r"\textbackslash{}a\{b\} \$x\$ a\_b\textasciicircum{}\textasciicircum{}M \#1 50\% \textasciitilde{} \& {[}2] c"
    )
