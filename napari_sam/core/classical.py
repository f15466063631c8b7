"""The classical methods as segmenters, so that they can be measured, and used, where a model is."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.classical_box import BOX_METHODS, BoxMethod
from napari_sam.core.classical_point import POINT_METHODS, PointMethod
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt, check_prompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.errors import InvalidPrompt, UnsupportedPrompt
from volumes import Box, Volume

__all__ = ["BoxSegmenter", "PointSegmenter", "classical_segmenters"]

_KINDS = {PointPrompt: "point", BoxPrompt: "box", MaskPrompt: "mask"}
_N_CANDIDATES = 3


class _ClassicalSegmenter:
    """One method; implements `napari_sam.core.segmenter.Segmenter`.

    It has one answer, which stands for all three candidates. It says nothing of how good that is: the scores
    are 1, and `predicts_score` is False.

    Parameters
    ----------
    title : str
        The method's name for people, such as ``"Otsu in box"``.
    """

    predicts_score = False
    prompts: frozenset[str] = frozenset()

    def __init__(self, title: str) -> None:
        self.title = title

    @property
    def name(self) -> str:
        """Such as ``"classical.otsu_in_box"``."""
        plain = self.title.lower().replace("–", " ")
        return "classical." + "_".join(plain.split())

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        """Answer one request.

        Raises
        ------
        InvalidPrompt
            Nothing to go by, a prompt outside the plane, or two boxes.
        UnsupportedPrompt
            A kind of prompt that is not in `prompts`, or a hint.
        """
        plane, shape = request.plane, request.volume.shape
        kinds = {_KINDS[type(prompt)] for prompt in request.prompts}
        kinds |= {"mask"} if request.hint is not None else set()
        if not kinds <= self.prompts:
            raise UnsupportedPrompt(
                f"{self.name} cannot use a {min(kinds - self.prompts)}; give it {min(self.prompts)} prompts"
            )
        if not kinds:
            raise InvalidPrompt(f"plane {plane.index} has no prompt; give a {min(self.prompts)}")
        for prompt in request.prompts:
            check_prompt(prompt, plane, shape)
        image = request.window.to_uint8(np.asarray(plane.take(request.volume.data)))
        mask = BoxedMask.of_plane(self._mask(image, plane, request.prompts), plane, shape)
        scores = np.ones(_N_CANDIDATES, np.float32)
        hints = np.zeros((_N_CANDIDATES, 0, 0), np.float16)
        return MaskPrediction(plane, (mask,) * _N_CANDIDATES, scores, hints, preferred=0)

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None:
        """Do nothing: there is nothing to prepare."""

    def _mask(
        self, image: NDArray[np.uint8], plane: PlaneRef, prompts: Sequence[Prompt]
    ) -> NDArray[np.bool_]:
        raise NotImplementedError


class BoxSegmenter(_ClassicalSegmenter):
    """A method that goes by one box.

    Parameters
    ----------
    title : str
        The method's name for people.
    method : callable
        Takes the plane and a half-open box ``(r0, c0, r1, c1)``; gives the mask ``(H, W)``.
    """

    prompts = frozenset({"box"})

    def __init__(self, title: str, method: BoxMethod) -> None:
        super().__init__(title)
        self._method = method

    def _mask(
        self, image: NDArray[np.uint8], plane: PlaneRef, prompts: Sequence[Prompt]
    ) -> NDArray[np.bool_]:
        boxes = [plane.box_hw(prompt.box) for prompt in prompts if isinstance(prompt, BoxPrompt)]
        if len(boxes) > 1:
            raise InvalidPrompt(f"plane {plane.index} has {len(boxes)} boxes; give at most one")
        return self._method(image, boxes[0])


class PointSegmenter(_ClassicalSegmenter):
    """A method that finds a region around a point; further points add and take away their regions, in order.

    Parameters
    ----------
    title : str
        The method's name for people.
    method : callable
        Takes the plane and ``(row, column)``; gives the mask ``(H, W)``.
    """

    prompts = frozenset({"point"})

    def __init__(self, title: str, method: PointMethod) -> None:
        super().__init__(title)
        self._method = method
        self._plane_digest = -1
        self._regions: dict[tuple[int, int], NDArray[np.bool_]] = {}

    def _mask(
        self, image: NDArray[np.uint8], plane: PlaneRef, prompts: Sequence[Prompt]
    ) -> NDArray[np.bool_]:
        region_at = self._regions_of(image)
        mask = np.zeros(image.shape[:2], dtype=np.bool_)
        for prompt in prompts:
            if isinstance(prompt, PointPrompt):
                row, column = (int(np.floor(x + 0.5)) for x in plane.rc(prompt.at))
                region = region_at((row, column))
                mask = mask | region if prompt.positive else mask & ~region
        return mask

    def _regions_of(self, image: NDArray[np.uint8]) -> Callable[[tuple[int, int]], NDArray[np.bool_]]:
        """Give a plane's regions by point; those of the latest plane are kept, for clicks come one by one."""
        digest = zlib.crc32(np.ascontiguousarray(image).tobytes(), image.shape[0])
        if digest != self._plane_digest:
            self._plane_digest, self._regions = digest, {}
        kept = self._regions

        def region_at(point: tuple[int, int]) -> NDArray[np.bool_]:
            if point not in kept:
                kept[point] = self._method(image, point)
            return kept[point]

        return region_at


def classical_segmenters() -> tuple[BoxSegmenter | PointSegmenter, ...]:
    """Return all classical methods, those that go by a box first."""
    return (
        *(BoxSegmenter(title, method) for title, method in BOX_METHODS.items()),
        *(PointSegmenter(title, method) for title, method in POINT_METHODS.items()),
    )
