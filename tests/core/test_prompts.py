from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt, check_prompt
from napari_sam.errors import InvalidPrompt
from volumes import Box

SHAPE = (4, 10, 12)


@pytest.mark.parametrize(
    ("prompt", "plane"),
    [
        (PointPrompt((2, 9, 11)), PlaneRef(0, 2)),
        (PointPrompt((2.4, -0.5, 11.49), False), PlaneRef(0, 2)),
        (PointPrompt((1.5, 0, 0)), PlaneRef(0, 2)),
        (PointPrompt((3, 7, 5)), PlaneRef(1, 7)),
        (BoxPrompt(Box((2, 0, 0), (3, 10, 12))), PlaneRef(0, 2)),
        (BoxPrompt(Box((0, 1, 5), (4, 4, 6))), PlaneRef(2, 5)),
        (MaskPrompt(BoxedMask(Box((2, 1, 1), (3, 3, 3)), np.ones((1, 2, 2), bool))), PlaneRef(0, 2)),
    ],
)
def test_prompts_in_their_plane_pass(prompt: Prompt, plane: PlaneRef) -> None:
    check_prompt(prompt, plane, SHAPE)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (PointPrompt((2, 10, 3)), r"\(2, 10, 3\) is outside the volume of shape \(4, 10, 12\)"),
        (PointPrompt((2, -0.6, 3)), "outside"),
        (PointPrompt((2, float("nan"), 3)), "outside"),
        (PointPrompt((1, 5, 3)), "not in plane 2 of axis 0"),
        (PointPrompt((2.5, 5, 3)), "not in plane 2 of axis 0"),
        (BoxPrompt(Box((2, 0, 0), (3, 11, 12))), "not inside the volume"),
        (BoxPrompt(Box((2, -1, 0), (3, 5, 5))), "not inside the volume"),
        (BoxPrompt(Box((1, 0, 0), (2, 5, 5))), "not one voxel thick in plane 2"),
        (BoxPrompt(Box((2, 0, 0), (4, 5, 5))), "not one voxel thick in plane 2"),
        (BoxPrompt(Box((2, 3, 3), (3, 3, 6))), "empty"),
        (MaskPrompt(BoxedMask(Box((2, 1, 1), (3, 3, 3)), np.zeros((1, 2, 2), bool))), "empty"),
        ("here", "no prompt"),
    ],
)
def test_misplaced_prompts_are_explained(prompt: Prompt, said: str) -> None:
    with pytest.raises(InvalidPrompt, match=said):
        check_prompt(prompt, PlaneRef(0, 2), SHAPE)


def test_plane_outside_is_refused() -> None:
    with pytest.raises(InvalidPrompt, match="plane 4 on axis 0"):
        check_prompt(PointPrompt((4, 0, 0)), PlaneRef(0, 4), SHAPE)


def test_points_are_plain_floats() -> None:
    point = PointPrompt((np.float32(1), np.int64(2), 3), np.True_)
    assert point == PointPrompt((1.0, 2.0, 3.0), True)
    assert all(type(x) is float for x in point.at)
    with pytest.raises(InvalidPrompt, match="2 coordinates"):
        PointPrompt((1, 2))
