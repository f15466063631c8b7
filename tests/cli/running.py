"""The command line called in this process, and what it says to a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from napari_sam.cli.main import main

POINT = ["--point", "7,24,16"]


def run(arguments: Sequence[str | Path], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run a command; its exit code and what it wrote to both streams."""
    code = main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def assert_one_line(code: int, err: str, *parts: str, expected: int = 2) -> None:
    """A mistake is told in one line that names these parts, and ends with the exit code."""
    assert code == expected
    assert err.startswith("napari-sam: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert "Traceback" not in err
    for part in parts:
        assert part in err
