"""Keeps the section with the two other cuts at the voxel under the viewer's cursor."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_sam.core.planes import PlaneRef
from napari_sam.core.window import Window
from napari_sam.plugin._cuts import cut_of, draw_cut
from napari_sam.plugin._cuts_panel import CutsPanel
from napari_sam.plugin._display import cut_name
from napari_sam.plugin._images import patient_geometry, shown_window
from napari_sam.plugin._moment import Moment
from napari_sam.plugin._space import index_at, plane_shown, step_to

__all__ = ["LinkedCuts"]


class LinkedCuts:
    """The other cuts follow the cursor, the viewer follows presses in them; nothing is done while folded.

    Parameters
    ----------
    viewer : napari.Viewer
        The person's viewer.
    panel : CutsPanel
        Where the cuts are shown.
    image, labels : callable
        The chosen image layer and the layer of its objects; None where there is none.
    """

    def __init__(
        self, viewer: Any, panel: CutsPanel, image: Callable[[], Any], labels: Callable[[], Any]
    ) -> None:
        self._viewer, self._panel, self._image, self._labels = viewer, panel, image, labels
        self._moment = Moment()
        self._at: tuple[float, float, float] | None = None
        self._of: Any = None
        panel.changed.connect(self._soon)
        for picture in panel.pictures:
            picture.picked.connect(self._go)
        viewer.mouse_move_callbacks.append(self._moved)

    def stop(self) -> None:
        """Let go of the viewer; touches nothing of Qt."""
        self._moment.stop()
        with contextlib.suppress(ValueError):
            self._viewer.mouse_move_callbacks.remove(self._moved)

    def _moved(self, viewer: Any, event: Any) -> None:
        image = self._image()
        plane = None if image is None or self._panel.is_folded else plane_shown(viewer.dims, image)
        if plane is None or image.ndim != 3:
            return
        at = index_at(image, event.position)
        if all(-0.5 <= x < n - 0.5 for x, n in zip(at, image.data.shape, strict=False)):
            self._of, self._at = image, (round(at[0]), round(at[1]), round(at[2]))
            self._soon()

    def _go(self, at: tuple[float, float, float]) -> None:
        image = self._image()
        plane = None if image is None else plane_shown(self._viewer.dims, image)
        if plane is not None:
            self._of, self._at = image, at
            step_to(self._viewer.dims, image, PlaneRef(plane.axis, int(at[plane.axis])))
            self._soon()

    def _soon(self) -> None:
        if not self._panel.is_folded:
            self._moment.wait(self._show)

    def _show(self) -> None:
        """Draw both cuts through the voxel under the cursor, in the shown plane."""
        image = self._image()
        plane = None if image is None else plane_shown(self._viewer.dims, image)
        note = _why_not(image, plane)
        self._panel.say(note)
        if note or image is None or plane is None:
            return
        if self._at is None or self._of is not image:
            self._of, self._at = image, index_at(image, self._viewer.dims.point)
        last = np.asarray(image.data.shape[:3]) - 1
        at = np.clip(np.rint(self._at), 0, last)
        at[plane.axis] = plane.index
        labels, geometry = self._labels(), patient_geometry(image)
        window = shown_window(image) or Window(0.0, 255.0)  # colours have none
        for picture, axis in zip(self._panel.pictures, (a for a in range(3) if a != plane.axis), strict=True):
            cut = cut_of(PlaneRef(axis, int(at[axis])), image.data.shape, image.scale, geometry)
            drawn = draw_cut(
                cut,
                image.data,
                None if labels is None else labels.data,
                window,
                (lambda _: None) if labels is None else labels.get_color,
            )
            picture.show_cut(
                cut, drawn, cut.part_of(at.tolist()), f"{cut_name(axis, geometry)} {int(at[axis])}"
            )


def _why_not(image: Any, plane: PlaneRef | None) -> str:
    """Say why there are no other cuts of an image; "" where there are."""
    if image is None:
        return "Open a volume first."
    if image.ndim != 3 or min(image.data.shape[:3]) < 2:
        return "A picture of one plane has no other cuts."
    if plane is None:
        return "Switch to the 2-D view first (the cube below the list of layers)."
    if not isinstance(image.data, np.ndarray):
        return "This image is read plane by plane as it is looked at, so other cuts would read all of it."
    return ""
