"""Prompts: what a person gives to say which object is meant, in voxel coordinates of the volume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.errors import InvalidPrompt
from volumes import Box

__all__ = ["BoxPrompt", "MaskPrompt", "PointPrompt", "Prompt", "check_prompt"]


@dataclass(frozen=True)
class PointPrompt:
    """A point in the object, or beside it.

    Parameters
    ----------
    at : tuple[float, float, float]
        (plane, row, column) in voxels; integers are voxel centres.
    positive : bool
        True for a point in the object, False for a point that is not.
    """

    at: tuple[float, float, float]
    positive: bool = True

    def __post_init__(self) -> None:
        if len(self.at) != 3:
            raise InvalidPrompt(
                f"the point {self.at} has {len(self.at)} coordinates; give (plane, row, column)"
            )
        object.__setattr__(self, "at", tuple(float(x) for x in self.at))
        object.__setattr__(self, "positive", bool(self.positive))


@dataclass(frozen=True)
class BoxPrompt:
    """A box around the object in one plane: half-open voxels, one voxel thick along the plane's axis."""

    box: Box


@dataclass(frozen=True)
class MaskPrompt:
    """A rough mask of the object in one plane."""

    mask: BoxedMask


Prompt: TypeAlias = PointPrompt | BoxPrompt | MaskPrompt


def check_prompt(prompt: Prompt, plane: PlaneRef, volume_shape: Sequence[int]) -> None:
    """Check that a prompt lies in a plane of a volume.

    Parameters
    ----------
    prompt : Prompt
        What to check.
    plane : PlaneRef
        The plane that it must lie in.
    volume_shape : sequence of int
        (P, R, C).

    Raises
    ------
    InvalidPrompt
        A plane outside the volume; a prompt outside the volume or in another plane; an empty box or mask.
    """
    plane.check(volume_shape)
    shape = (int(volume_shape[0]), int(volume_shape[1]), int(volume_shape[2]))
    if isinstance(prompt, PointPrompt):
        _check_point(prompt, plane, shape)
    elif isinstance(prompt, BoxPrompt):
        _check_box(prompt.box, "box", plane, shape)
    elif isinstance(prompt, MaskPrompt):
        _check_box(prompt.mask.box, "mask's box", plane, shape)
        if prompt.mask.is_empty:
            raise InvalidPrompt(f"the mask on plane {plane.index} is empty; give at least one voxel")
    else:
        raise InvalidPrompt(f"{prompt!r} is no prompt; give a PointPrompt, BoxPrompt or MaskPrompt")


def _check_point(point: PointPrompt, plane: PlaneRef, shape: tuple[int, int, int]) -> None:
    for x, n in zip(point.at, shape, strict=True):
        if not (math.isfinite(x) and -0.5 <= x < n - 0.5):
            raise InvalidPrompt(
                f"the point {_short(point.at)} is outside the volume of shape {shape}; "
                "give (plane, row, column) in voxels, from 0 to the size less one"
            )
    if math.floor(point.at[plane.axis] + 0.5) != plane.index:
        raise InvalidPrompt(
            f"the point {_short(point.at)} is not in plane {plane.index} of axis {plane.axis}; "
            f"give it {plane.index} on that axis, or prompt the plane that it lies in"
        )


def _check_box(box: Box, what: str, plane: PlaneRef, shape: tuple[int, int, int]) -> None:
    described = f"the {what} from {box.start} to {box.stop}"
    if box.is_empty:
        raise InvalidPrompt(f"{described} is empty; boxes are half-open, so each stop is above its start")
    if any(low < 0 or high > n for low, high, n in zip(box.start, box.stop, shape, strict=True)):
        raise InvalidPrompt(f"{described} is not inside the volume of shape {shape}; clip it to the volume")
    if not plane.holds(box):
        raise InvalidPrompt(
            f"{described} is not one voxel thick in plane {plane.index} of axis {plane.axis}; "
            f"give it {plane.index} to {plane.index + 1} on that axis"
        )


def _short(at: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{x:g}" for x in at) + ")"
