"""The layers of the chosen object's prompts on the shown plane: points, and outlines of boxes and masks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.outlines import outlines_of
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.plugin._space import space_of_layer
from volumes import Box

__all__ = ["PromptLayers"]

_POSITIVE, _NEGATIVE, _BOX = "#2ee66b", "#ff4d4d", "#ffd800"


class PromptLayers:
    """One Points and one Shapes layer for the prompts that are shown.

    Every change of a layer makes napari slice and draw it, and look at all layers' extents. So what is there
    already is left alone, and one drawing is asked for at the end.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers go.

    Attributes
    ----------
    points, boxes : layer or None
        None while no image is worked on.
    shown : tuple of prompts
        What is shown.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._plane: PlaneRef | None = None
        self._points: tuple[PointPrompt, ...] = ()
        self._drawn: tuple[PlaneRef, tuple[Prompt, ...], float] | None = None
        self.points: Any = None
        self.boxes: Any = None
        self.shown: tuple[Prompt, ...] = ()

    def put_on(self, image: Any) -> None:
        """Make new layers on an image, for no prompts yet."""
        self.remove()
        space = {**space_of_layer(image), "ndim": image.ndim}
        self.boxes = self._viewer.add_shapes(name="prompt boxes", **space)
        self.points = self._viewer.add_points(name="prompts", size=1, canvas_size_limits=(12, 12), **space)
        self.boxes.editable = self.points.editable = False

    def remove(self) -> None:
        """Take the layers away."""
        gone = (self.points, self.boxes)
        self.points = self.boxes = self._drawn = None
        self.shown = self._points = ()
        for layer in gone:
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def has(self, layer: Any) -> bool:
        """Return whether a layer is one of these."""
        return any(own is not None and own == layer for own in (self.points, self.boxes))

    # Which layer the mouse acts on

    @property
    def are_active(self) -> bool:
        """Whether clicks are prompts now."""
        active = self._viewer.layers.selection.active
        return self.points is not None and active is not None and active == self.points

    def activate(self, *, pans: bool) -> None:
        """Make clicks prompts; `pans` says whether a drag moves the image."""
        if self.points is not None:
            self.points.mouse_pan = pans
            self._viewer.layers.selection.active = self.points

    def let_pan(self, pans: bool) -> None:
        """Say whether a drag moves the image."""
        if self.points is not None:
            self.points.mouse_pan = pans

    # What is shown

    def show(self, plane: PlaneRef | None, prompts: Sequence[Prompt]) -> None:
        """Show these prompts of a plane and no others."""
        self._plane = plane
        if tuple(prompts) == self.shown or self.points is None:
            return
        self.shown = tuple(prompts)
        self._draw_points([prompt for prompt in prompts if isinstance(prompt, PointPrompt)])
        self._draw_shapes(prompts)

    @property
    def voxel_px(self) -> float:
        """How many pixels of the screen a voxel of the shown plane measures."""
        camera = getattr(self._viewer, "scene", self._viewer).camera  # in the scene since napari 0.9
        scale = 1.0 if self.boxes is None else float(np.abs(self.boxes.scale[-2:]).mean())
        return max(float(camera.zoom) * scale, 1e-6)

    def preview_box(self, box: Box) -> None:
        """Show a box that is being dragged, beside the ones there are."""
        self._draw_shapes([*self.shown, BoxPrompt(box)])

    def preview_path(self, rc: NDArray[np.float64]) -> None:
        """Show a line that is being drawn, rows and columns of shape (n, 2), beside what there is."""
        self._draw_shapes(self.shown, [rc])

    def _draw_points(self, points: Sequence[PointPrompt]) -> None:
        """Show points; those that are there already, from the first on, stay."""
        layer, there = self.points, self._points
        n_kept = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(there, points, strict=False))))
        if n_kept == len(there) == len(points):
            return
        self._points = tuple(points)
        with layer.events.blocker_all():
            if n_kept < len(layer.data):
                layer.data = layer.data[:n_kept]
            for is_positive, some in groupby(points[n_kept:], lambda point: point.positive):
                layer.current_face_color = _POSITIVE if is_positive else _NEGATIVE
                layer.current_border_color = "white" if is_positive else _NEGATIVE
                layer.add(np.array([point.at[3 - layer.ndim :] for point in some]))
                layer.selected_data = set()
            if points:
                layer.symbol = ["disc" if point.positive else "cross" for point in points]
        layer.refresh(extent=False)

    def _draw_shapes(self, prompts: Sequence[Prompt], lines: Sequence[NDArray[np.float64]] = ()) -> None:
        """Show the outlines of boxes and masks, and lines that are being drawn, unless they are there."""
        layer, plane, width = self.boxes, self._plane, 2.0 / self.voxel_px
        if layer is None or plane is None:
            return
        shapes = tuple(one for one in prompts if not isinstance(one, PointPrompt))
        drawn = None if lines else (plane, shapes, width)
        if drawn is not None and drawn == self._drawn:
            return
        self._drawn = drawn
        corners = [_corners(one.box, plane) for one in shapes if isinstance(one, BoxPrompt)]
        masks = [one.mask for one in shapes if isinstance(one, MaskPrompt)]
        outlines = [*lines, *(outline for mask in masks for outline in outlines_of(mask, plane))]
        paths = [np.array([plane.at(*rc) for rc in line]) for line in outlines if len(line) > 1]
        if not (corners or paths or len(layer.data)):
            return
        look, first = {"edge_width": width, "edge_color": _BOX}, 3 - layer.ndim
        layer.data = []
        if corners:
            layer.add_rectangles([box[:, first:] for box in corners], face_color="transparent", **look)
        if paths:
            layer.add_paths([path[:, first:] for path in paths], **look)
        layer.selected_data = set()


def _corners(box: Box, plane: PlaneRef) -> NDArray[np.float64]:
    """Return the four corners of a plane's box, on the voxels' outer edges, shape (4, 3)."""
    row0, col0, row1, col1 = (x - 0.5 for x in plane.box_hw(box))
    return np.array([plane.at(*rc) for rc in ((row0, col0), (row0, col1), (row1, col1), (row1, col0))])
