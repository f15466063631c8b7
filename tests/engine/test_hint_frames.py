"""Hints go between a plane and a window as if the plane were drawn, resized and cut."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from napari_sam.engine.frame import MASK_LOGIT, Frame
from napari_sam.engine.hint_frames import Region, to_plane_hint, to_window_hint

SIDE = 48
NARROWEST = 14
LONGEST = 112  # what is NARROWEST is 1.5 cells wide in a hint of SIDE / 4, which becomes two


def squared(logits: Tensor, side: int) -> Tensor:
    """Resize a drawing ``(M, H, W)`` to a square that is padded below and right."""
    height, width = Frame((logits.shape[1], logits.shape[2]), side).resized_hw
    resized = F.interpolate(
        logits[None], size=(height, width), mode="bilinear", align_corners=False, antialias=True
    )[0]
    return F.pad(resized, (0, side - width, 0, side - height), value=-MASK_LOGIT)


@st.composite
def places(draw: st.DrawFn) -> tuple[tuple[int, int], Region]:
    """A plane, and a window in it.

    Neither is so narrow that it becomes one cell wide: of those torch's smoothed resizing takes the first row
    for all rows.
    """
    height, width = draw(st.integers(20, LONGEST)), draw(st.integers(20, LONGEST))
    starts = [draw(st.integers(0, n - NARROWEST)) for n in (height, width)]
    stops = [
        draw(st.integers(start + NARROWEST, n)) for start, n in zip(starts, (height, width), strict=True)
    ]
    return (height, width), (starts[0], starts[1], stops[0], stops[1])


def logits(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy((8 * np.random.default_rng(seed).normal(size=shape)).astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(places(), st.integers(0, 2**32 - 1), st.tuples(st.integers(4, 40), st.integers(4, 40)))
def test_a_hint_of_a_plane_is_cut_to_the_window(
    place: tuple[tuple[int, int], Region], seed: int, hint_hw: tuple[int, int]
) -> None:
    plane_hw, (row0, col0, row1, col1) = place
    hint = logits(seed, *hint_hw)
    drawn = Frame(plane_hw, max(hint_hw)).plane_logits(hint[None])
    expected = squared(drawn[:, row0:row1, col0:col1], SIDE // 4)[0]
    found = to_window_hint(hint, plane_hw, place[1], SIDE // 4)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(places(), st.integers(0, 2**32 - 1), st.sampled_from([16, 40]))
def test_hints_of_a_window_are_put_into_the_plane(
    place: tuple[tuple[int, int], Region], seed: int, side: int
) -> None:
    plane_hw, (row0, col0, row1, col1) = place
    hints = logits(seed, 3, SIDE // 4, SIDE // 4)
    drawn = torch.full((3, *plane_hw), -MASK_LOGIT)
    drawn[:, row0:row1, col0:col1] = Frame((row1 - row0, col1 - col0), SIDE).plane_logits(hints)
    found = to_plane_hint(hints, SIDE, plane_hw, place[1], side)
    torch.testing.assert_close(found, squared(drawn, side), atol=1e-4, rtol=1e-5)
