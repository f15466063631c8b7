"""What a radiologist's hand expects of the screen: windows by key and drag, and another cut by one key."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from napari_sam.core.window import Window
from napari_sam.plugin._display import (
    PRESET_ACTIONS,
    cut_name,
    dragged_window,
    next_order,
    preset_window,
    window_text,
)
from napari_sam.plugin._images import NAMESPACE, patient_geometry, shown_window
from napari_sam.plugin._space import index_at
from volumes import Volume

__all__ = ["Hand"]

_MIDDLE, _RIGHT = 3, 2


class Hand:
    """Changes how the chosen image is shown, and nothing else.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose mouse is listened to until `close`.
    image : callable
        Gives the chosen image layer, or None.
    say : callable
        Called with a sentence on what was done.
    show_screen : callable
        Called with the window on the screen, None where there is none, whenever it changes.
    """

    def __init__(
        self,
        viewer: Any,
        image: Callable[[], Any],
        say: Callable[[str], None],
        show_screen: Callable[[Window | None], None],
    ) -> None:
        self._viewer, self._image = viewer, image
        self._say, self._show_screen = say, show_screen
        self._watched: Any = None
        viewer.mouse_drag_callbacks.append(self.drag)

    def close(self) -> None:
        """Stop listening."""
        self.watch(None)
        if self.drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self.drag)

    def watch(self, image: Any) -> None:
        """Tell of this image's window from now on."""
        if image is not self._watched:
            if self._watched is not None:
                self._watched.events.contrast_limits.disconnect(self._changed)
            self._watched = image
            if image is not None:
                image.events.contrast_limits.connect(self._changed)
        self._changed()

    def actions(self) -> dict[str, Callable[[], None]]:
        """Say what the keys of the display do."""

        def chooser(action: str) -> Callable[[], None]:
            return lambda: self.choose_preset(action)

        return {**{action: chooser(action) for action in PRESET_ACTIONS}, "axis": self.turn}

    def choose_preset(self, action: str) -> None:
        """Show the image with one of the windows in Hounsfield units."""
        image = self._image()
        if image is None or shown_window(image) is None:
            self._say("There is no grey image whose window could change; choose one in step 1.")
            return
        volume = image.metadata.get(NAMESPACE, {}).get("volume")
        modality = volume.provenance.modality if isinstance(volume, Volume) else None
        window = preset_window(action, modality)
        if window is None:
            self._say(
                f"{image.name} is {modality}, and the window {action} is in Hounsfield units, for CT. "
                "Drag with the middle button instead."
            )
            return
        image.contrast_limits = (window.low, window.high)
        self._say(f"On the screen: {action}, {window_text(window)}. The model's own window stays.")

    def drag(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        """Change the window by a drag with the middle button, or with Shift and the right one."""
        image = self._image()
        start = None if image is None else shown_window(image)
        if start is None or viewer.dims.ndisplay != 2 or not _is_window_drag(event):
            return
        silenced = _Silenced(viewer.layers.selection.active)
        at = tuple(event.pos)
        try:
            yield
            while event.type == "mouse_move":
                right_px, down_px = event.pos[0] - at[0], event.pos[1] - at[1]
                window = dragged_window(start, right_px, down_px)
                image.contrast_limits = (window.low, window.high)
                yield
        finally:
            silenced.end()

    def turn(self) -> None:
        """Cut the volume across its next axis, through the voxel under the cursor."""
        image, dims = self._image(), self._viewer.dims
        if image is None or dims.ndim < 3 or image.ndim < 3 or min(image.data.shape[:3]) < 2:
            self._say("A picture of one plane cannot be cut another way; choose a volume in step 1.")
            return
        if dims.ndisplay != 2:
            self._say("Switch to the 2-D view first (the cube below the list of layers).")
            return
        through = self._seen(image)
        offset = dims.ndim - image.ndim
        dims.order = next_order(dims.order)
        for axis, position in enumerate(image.data_to_world(through)):
            dims.set_point(axis + offset, float(position))
        axis = dims.order[-3] - offset
        index, step = round(through[axis]), dims.current_step[axis + offset]
        slider = "" if step == index else f" ({step} on napari's slider)"
        self._say(f"Now {cut_name(axis, patient_geometry(image))}, plane {index}{slider}.")

    def _seen(self, image: Any) -> list[float]:
        """Return the voxel under the cursor, in the shown plane; the voxel shown last where it is outside."""
        dims = self._viewer.dims
        shown = index_at(image, dims.point)
        under = index_at(image, self._viewer.cursor.position)
        is_inside = all(-0.5 <= at < n - 0.5 for at, n in zip(under, image.data.shape, strict=False))
        is_inside &= self._has_moved()
        cut = dims.order[-3] - (dims.ndim - image.ndim)
        chosen = [under[axis] if is_inside and axis != cut else shown[axis] for axis in range(3)]
        last = np.asarray(image.data.shape[:3]) - 1
        return [float(at) for at in np.clip(np.rint(chosen), 0, last)]

    def _has_moved(self) -> bool:
        """Return whether the mouse was over the canvas: until then, napari has the cursor in a corner."""
        position = self._viewer.cursor.position
        return {position[axis] for axis in self._viewer.dims.displayed} not in ({0.0}, {1.0})

    def _changed(self, _: Any = None) -> None:
        self._show_screen(None if self._watched is None else shown_window(self._watched))


class _Silenced:
    """A layer whose own mouse, brush or points, does nothing until `end`: a drag means one thing."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._mode = getattr(layer, "mode", None)
        self._callbacks = [] if layer is None else list(layer.mouse_drag_callbacks)
        if layer is not None:
            layer.mouse_drag_callbacks.clear()

    def end(self) -> None:
        if self._layer is None:
            return
        mode = getattr(self._layer, "mode", None)
        if mode != self._mode:  # changed by a key in between: napari takes the old mode's callbacks off
            self._layer.mode = self._mode
        self._layer.mouse_drag_callbacks[:] = self._callbacks
        if mode != self._mode:
            self._layer.mode = mode


def _is_window_drag(event: Any) -> bool:
    has_shift = any(getattr(modifier, "name", modifier) == "Shift" for modifier in event.modifiers)
    return bool(event.button == _MIDDLE or (event.button == _RIGHT and has_shift))
