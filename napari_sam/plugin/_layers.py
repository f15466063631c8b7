"""The layers that the plugin makes: labels, points and boxes. The person's own layers are never changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.masks import tight_box
from napari_sam.core.naming import PALETTE, object_colour
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import Prompt
from napari_sam.core.session import Session
from napari_sam.plugin._images import NAMESPACE
from napari_sam.plugin._prompt_layers import PromptLayers
from napari_sam.plugin._space import space_of_layer
from volumes import Box, Segment

__all__ = ["SessionLayers"]

_OTHER = np.array([0.5, 0.5, 0.5, 1.0], np.float32)
"""Colour of voxels whose object the table does not know yet."""

_LABELS_OF = "labels of"
"""In the plugin's metadata of such a layer: the key of the image."""

SegmentsOf = Callable[[Session], tuple[Segment, ...]]
Painted = Callable[[Box, NDArray[Any], NDArray[Any]], None]


class SessionLayers:
    """One Labels layer a session, and one Points and one Shapes layer for the prompts of the chosen one.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers go.
    on_painted : callable
        Called with (box, before, after) for each brush stroke in the labels.
    segments_of : callable
        Says what the labels of a session mean; napari's own way of saving them asks.
    on_chosen : callable
        Called with the label that a person chose for the brush, or picked on the canvas, in napari's own way.
    """

    def __init__(
        self, viewer: Any, on_painted: Painted, segments_of: SegmentsOf, on_chosen: Callable[[int], None]
    ) -> None:
        self._viewer = viewer
        self._on_painted = on_painted
        self._segments_of = segments_of
        self._on_chosen = on_chosen
        self._all_labels: dict[int, Any] = {}
        self._session: Session | None = None
        self._plane: PlaneRef | None = None
        self._before: NDArray[Any] | None = None
        self._colours: dict[int, dict[int, tuple[int, int, int] | None]] = {}
        self.labels: Any = None
        self.prompts = PromptLayers(viewer)

    # Making and removing

    def show(self, session: Session, image: Any) -> None:
        """Show a session on its image; a layer of it that is there already is used again."""
        self._session = session
        self.labels = self._all_labels.get(id(session))
        if self.labels is None or self.labels not in self._viewer.layers:
            self.labels = self._all_labels[id(session)] = self._add_labels(session, image)
        self._edit_only(self.labels)
        self.prompts.put_on(image)
        self._copy_plane()

    def _add_labels(self, session: Session, image: Any) -> Any:
        labels = session.labels[0] if image.ndim == 2 else session.labels
        about = {
            "volume": session.volume,
            "segments": lambda: self._segments_of(session),
            _LABELS_OF: image.unique_id,
        }
        layer = self._left_behind(labels, image)
        if layer is None:
            layer = self._viewer.add_labels(
                labels, name=f"{image.name} labels", opacity=0.5, **space_of_layer(image)
            )
        else:
            layer.data = labels
        layer.colormap = _cycle()
        layer.metadata[NAMESPACE] = about
        self._colours.pop(id(layer), None)
        layer.events.paint.connect(self._paint)
        layer.events.selected_label.connect(self._chosen)
        layer.events.n_edit_dimensions.connect(_edit_one_plane)
        return layer

    def _left_behind(self, labels: NDArray[Any], image: Any) -> Any | None:
        """Return a layer of the image's labels that a dock left as it was closed, if it holds the same."""
        for layer in self._viewer.layers:
            is_left = layer.metadata.get(NAMESPACE, {}).get(_LABELS_OF) == image.unique_id
            if is_left and layer not in self._all_labels.values() and np.array_equal(layer.data, labels):
                return layer
        return None

    def drop(self, session: Session) -> None:
        """Take a session's labels off the viewer."""
        labels = self._all_labels.get(id(session))
        if labels is not None and labels in self._viewer.layers:
            self._viewer.layers.remove(labels)

    def leave(self) -> None:
        """Show no session: its labels stay, but nobody can paint in them until it is shown again."""
        self._edit_only(None)
        self.labels = self._session = self._before = None
        self.prompts.remove()

    def _edit_only(self, chosen: Any) -> None:
        for labels in self._all_labels.values():
            if labels in self._viewer.layers:
                labels.editable = labels is chosen

    def forget(self, layer: Any) -> bool:
        """Let go of a layer that was removed; returns whether it was needed to show the session."""
        for key, labels in list(self._all_labels.items()):
            if labels == layer:
                self._let_go(labels)
                del self._all_labels[key]
        if self.labels is not None and self.labels == layer:
            self.labels = None
            return True
        return self.prompts.has(layer)

    def close(self) -> None:
        """Take the layers of the prompts away and leave the labels."""
        for labels in self._all_labels.values():
            self._let_go(labels)
        self._all_labels.clear()
        self.prompts.remove()

    def deactivate_prompts(self) -> None:
        """Leave the mouse to napari; the labels become the active layer."""
        if self.prompts.are_active and self.labels is not None:
            self._viewer.layers.selection.active = self.labels

    def show_prompts(self, plane: PlaneRef | None, prompts: Sequence[Prompt]) -> None:
        """Show these prompts of the plane that is shown now, and no others."""
        if plane != self._plane:
            self._plane = plane
            self._copy_plane()
        self.prompts.show(plane, prompts)

    # Labels

    def show_colours(self, colours: Mapping[int, tuple[int, int, int] | None]) -> None:
        """Draw objects in these colours, (red, green, blue) from 0 to 255; those of None are not shown.

        While all have the colours of their numbers, napari's own cycle of colours does, which a new object
        need not change: a table of colours takes it a fifth of a second.
        """
        own = {value: colour for value, colour in colours.items() if colour != object_colour(value)}
        if self.labels is None or self._colours.get(id(self.labels), {}) == (colours if own else {}):
            return
        self._colours[id(self.labels)] = dict(colours) if own else {}
        self.labels.colormap = _table_of(colours) if own else _cycle()

    def redraw(self) -> None:
        """Draw the shown plane of the labels again."""
        if self.labels is not None:
            self.labels.refresh(extent=False)
            self._copy_plane()

    def lock(self, locked: bool) -> None:
        """Stop or allow brush strokes."""
        if self.labels is not None:
            self.labels.editable = not locked

    def select(self, object_id: int) -> None:
        """Let the brush paint this object."""
        if self.labels is not None:
            self.labels.selected_label = object_id

    def object_at(self, position: Sequence[float]) -> int:
        """Return the object at a position in napari's world; 0 for none."""
        value = None if self.labels is None else self.labels.get_value(position, world=True)
        return 0 if value is None else int(value)

    def _chosen(self, event: Any) -> None:
        if self.labels is not None and event.source == self.labels and event.source.selected_label:
            self._on_chosen(int(event.source.selected_label))

    def _let_go(self, labels: Any) -> None:
        labels.events.paint.disconnect(self._paint)
        labels.events.selected_label.disconnect(self._chosen)

    def _copy_plane(self) -> None:
        """Keep the shown plane as it is, to know later what a brush stroke changed."""
        if self._session is not None and self._plane is not None:
            self._before = self._plane.take(self._session.labels).copy()
        else:
            self._before = None

    def _paint(self, event: Any) -> None:
        if self._session is None or self._plane is None or self._before is None:
            return
        if self.labels is None or event.source != self.labels:
            return
        after = self._plane.take(self._session.labels)
        changed = tight_box(after != self._before)
        if changed is not None:
            row0, col0, row1, col1 = changed
            cut = (slice(row0, row1), slice(col0, col1))
            axis = self._plane.axis
            before, now = (np.expand_dims(x[cut].copy(), axis) for x in (self._before, after))
            self._on_painted(self._plane.box_of(changed), before, now)
            self._copy_plane()


def _cycle() -> Any:
    """Return the colours of objects 1, 2, 3 and so on."""
    from napari.utils.colormaps import CyclicLabelColormap

    return CyclicLabelColormap(colors=["transparent", *PALETTE])


def _table_of(colours: Mapping[int, tuple[int, int, int] | None]) -> Any:
    """Return a colour for each object; nothing for those of None."""
    from napari.utils.colormaps import DirectLabelColormap

    clear = np.zeros(4, np.float32)
    colour_of: dict[int | None, NDArray[Any]] = {0: clear, None: _OTHER}
    for value, colour in colours.items():
        colour_of[value] = clear if colour is None else np.array([*colour, 255], np.float32) / 255
    return DirectLabelColormap(color_dict=colour_of)


def _edit_one_plane(event: Any) -> None:
    """Keep the brush to the shown plane: what it does in others could not be undone."""
    if event.source.n_edit_dimensions != 2:
        event.source.n_edit_dimensions = 2
