"""What the comparison with the reference says, without the reference."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
import torch

from benchmarks import speed
from benchmarks._published import fill
from tests.tiny_models import build_vit_sam


def test_without_the_reference_it_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert speed.main(["--reference", str(tmp_path)]) == 2
    assert "pass a copy of its repository" in capsys.readouterr().err


def test_works_take_turns_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []
    clock = (float(n * n) for n in count())
    works = {name: lambda name=name: order.append(name) for name in "ab"}
    found = speed.medians(works, 2, lambda: next(clock))
    assert order == list("ababab")
    assert found == {"a": (5 + 13) / 2, "b": (9 + 17) / 2}


@pytest.mark.parametrize(("ours_s", "verdict"), [(1.0, "reached"), (1.5, "missed")])
def test_a_line_holds_the_figure_to_its_bar(ours_s: float, verdict: str) -> None:
    line = str(speed.Line("a thing", ours_s, 2.0, 1.6, 0.5, 4.0))
    assert f"{2.0 / ours_s:.2f} times as fast (bar 1.6, {verdict})" in line
    assert f"floor 500.0 ms, ours {ours_s / 0.5:.2f} of it" in line


def test_filled_models_are_alike_and_have_no_zeros() -> None:
    first, second = build_vit_sam(), build_vit_sam()
    fill(first)
    fill(second)
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b), name
        assert bool(a.detach().any()), name
