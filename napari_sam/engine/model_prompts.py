"""A request's prompts, checked and turned into a model's terms."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, check_prompt
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.engine.frame import Frame
from napari_sam.errors import InvalidPrompt, UnsupportedPrompt
from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND, NEGATIVE, POSITIVE

__all__ = ["ModelPrompts", "batch_prompts", "check_request", "to_model_prompts", "without_unused_mask"]

MAX_CLICKS_FROM_AFAR = 3
"""Prompts with more clicks are answered from near alone: those mend outlines."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ModelPrompts:
    """What one request gives the prompt encoder.

    Attributes
    ----------
    points_xy : tuple of (float, float)
        Points, then the two corners of a box, in model pixels.
    labels : tuple of int
        One for each point; see `napari_sam.models.prompt_encoder`.
    mask_logits : Tensor or None
        ``(4h, 4w)`` float32.
    """

    points_xy: tuple[tuple[float, float], ...]
    labels: tuple[int, ...]
    mask_logits: Tensor | None

    @property
    def kind(self) -> tuple[int, bool, bool]:
        """Number of points, whether there is a box, whether there is a mask: alike prompts share a batch."""
        return len(self.labels), self.has_box, self.mask_logits is not None

    @property
    def has_box(self) -> bool:
        """Whether a box is among them."""
        return BOX_FIRST in self.labels

    @property
    def clicks_xy(self) -> tuple[tuple[float, float], ...]:
        """The points, in the order in which they were made, without the corners of a box."""
        return self.points_xy[:-2] if self.has_box else self.points_xy

    @property
    def box_xy(self) -> tuple[tuple[float, float], ...]:
        """The two corners of a box; empty without one."""
        return self.points_xy[-2:] if self.has_box else ()

    @property
    def is_ambiguous(self) -> bool:
        """Whether nothing but a single point says what is meant."""
        return self.kind == (1, False, False)

    def asks_from_afar(self, closer: bool) -> bool:
        """Say whether a model that looks from afar, too, is asked there as well.

        Only where it is not known how large the object is: a mask with a box comes from a plane nearby or
        from an answer, and a closer look (`closer`) is taken at what clicks found.
        """
        n_points, has_box, has_mask = self.kind
        if has_box:
            return not has_mask and n_points - 2 <= MAX_CLICKS_FROM_AFAR
        return not closer and n_points <= MAX_CLICKS_FROM_AFAR

    @property
    def can_be_refined(self) -> bool:
        """Whether clicks or a box alone say what is meant, so that an answer may be drawn anew."""
        return bool(self.clicks_xy) or self.kind == (2, True, False)

    @property
    def leaves_doubt(self) -> bool:
        """Whether a box alone, or two or three clicks without one, say what is meant."""
        n_points, has_box, has_mask = self.kind
        return (n_points == 2 and not has_mask) if has_box else n_points in (2, 3)


def check_request(request: SegmentRequest, name: str, kinds: frozenset[str]) -> None:
    """Check that a model can answer a request.

    Parameters
    ----------
    request : SegmentRequest
        What is asked.
    name : str
        The model's name, for the message.
    kinds : frozenset of str
        Kinds of prompts that it can use.

    Raises
    ------
    InvalidPrompt
        Nothing to go by, a prompt outside the plane, or two boxes or masks.
    UnsupportedPrompt
        A kind of prompt that is not in `kinds`.
    """
    index = request.plane.index
    for prompt in request.prompts:
        check_prompt(prompt, request.plane, request.volume.shape)
    n_points, n_boxes, n_masks = (
        sum(isinstance(prompt, kind) for prompt in request.prompts)
        for kind in (PointPrompt, BoxPrompt, MaskPrompt)
    )
    if n_boxes > 1 or n_masks > 1:
        raise InvalidPrompt(
            f"plane {index} has {n_boxes} boxes and {n_masks} masks; give at most one of each"
        )
    given = {"point": n_points > 0, "box": n_boxes > 0, "mask": n_masks > 0 or request.hint is not None}
    if not any(given.values()):
        raise InvalidPrompt(f"plane {index} has no prompt; give a point, a box or a mask")
    for kind, is_given in given.items():
        if is_given and kind not in kinds:
            raise UnsupportedPrompt(
                f"{name} cannot use a {kind}; give it {' or '.join(sorted(kinds))} prompts"
            )


def without_unused_mask(request: SegmentRequest, kinds: frozenset[str]) -> SegmentRequest:
    """Leave hint and mask out where a model takes none, if points or a box are left to go by.

    A session adds both by itself, to say how the object stands; what a person showed is asked in any case.
    """
    shown = tuple(prompt for prompt in request.prompts if not isinstance(prompt, MaskPrompt))
    if "mask" in kinds or not shown:
        return request
    return replace(request, prompts=shown, hint=None)


def to_model_prompts(
    request: SegmentRequest, frame: Frame, low_hw: tuple[int, int], max_points: int | None = None
) -> ModelPrompts:
    """Turn a checked request into model pixels; a painted mask takes the place of the hint.

    Parameters
    ----------
    request : SegmentRequest
        What is asked.
    frame : Frame
        The plane's place in the model's input.
    low_hw : tuple of int
        Size (4h, 4w) of the model's low-resolution logits.
    max_points : int, optional
        Points that the model can take, corners of a box among them; see `ModelSpec`.

    Raises
    ------
    InvalidPrompt
        A hint that is no plane of logits.
    """
    points: list[PointPrompt] = []
    corners: tuple[tuple[float, float], ...] = ()
    mask_logits = None if request.hint is None else _hint_logits(request.hint, frame, low_hw)
    for prompt in request.prompts:
        if isinstance(prompt, PointPrompt):
            points.append(prompt)
        elif isinstance(prompt, BoxPrompt):
            corners = frame.corners_xy(request.plane.box_hw(prompt.box))
        else:
            mask = prompt.mask.to_plane(request.plane, request.volume.shape)
            mask_logits = frame.mask_logits(mask, low_hw)
    if max_points is not None and len(points) + len(corners) > max_points:
        _logger.warning(
            "plane %d has more prompts than the %d points that the model takes (a box counts as two); "
            "the box, the first positive point and the newest others are used",
            request.plane.index,
            max_points,
        )
        points = _most_useful(points, max_points - len(corners))
    places = (frame.to_model_xy(request.plane.rc(point.at)) for point in points)
    labels = (POSITIVE if point.positive else NEGATIVE for point in points)
    corner_labels = (BOX_FIRST, BOX_SECOND) if corners else ()
    return ModelPrompts((*places, *corners), (*labels, *corner_labels), mask_logits)


def _most_useful(points: list[PointPrompt], n: int) -> list[PointPrompt]:
    """Keep `n` points: the first positive one, which says what is meant, and the newest, which mend it."""
    first = next((i for i, point in enumerate(points) if point.positive), len(points))
    newest = points[len(points) - n :]
    return newest if first >= len(points) - n else [points[first], *newest[1:]]


def batch_prompts(
    alike: Sequence[ModelPrompts], device: torch.device
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Stack prompts of one kind.

    Returns
    -------
    tuple of Tensor
        ``points_xy (N, K, 2)``, ``point_labels (N, K)`` and ``mask_inputs (N, 1, 4h, 4w)`` or None.
    """
    shape = (len(alike), len(alike[0].labels))
    points_xy = torch.tensor([p.points_xy for p in alike], dtype=torch.float32, device=device)
    labels = torch.tensor([p.labels for p in alike], dtype=torch.long, device=device)
    masks = [p.mask_logits for p in alike if p.mask_logits is not None]
    mask_inputs = torch.stack(masks)[:, None].to(device) if masks else None
    return points_xy.reshape(*shape, 2), labels.reshape(shape), mask_inputs


def _hint_logits(hint: NDArray[np.floating], frame: Frame, low_hw: tuple[int, int]) -> Tensor:
    """Bring a hint into the model's frame; all hints are squares padded below and right."""
    if hint.ndim != len(low_hw) or min(hint.shape) < 1:
        raise InvalidPrompt(f"the hint has shape {hint.shape}, not (h, w); give a hint of an earlier answer")
    return frame.from_hint(torch.from_numpy(np.array(hint, dtype=np.float32)), low_hw)
