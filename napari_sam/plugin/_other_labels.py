"""Labels that are in the viewer beside ours, to be taken for prompts."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef

__all__ = ["other_label"]


def other_label(viewer: Any, own: Any, image: Any, plane: PlaneRef) -> BoxedMask | None:
    """Return the chosen label of another Labels layer on a plane of an image.

    Parameters
    ----------
    viewer : napari.Viewer
        Its chosen layers count first, then those on top.
    own : napari.layers.Labels or None
        The layer of the session, which is left out.
    image : napari.layers.Image
        What is segmented; the labels have its shape (P, R, C), or (R, C) for a picture.
    plane : PlaneRef
        Which plane.

    Returns
    -------
    BoxedMask or None
        None where no layer has its chosen label there.
    """
    shape = tuple(image.data.shape[: image.ndim])
    layers = [
        layer
        for layer in reversed(viewer.layers)
        if layer is not own and type(layer).__name__ == "Labels" and tuple(layer.data.shape) == shape
        if layer.selected_label != 0
    ]
    whole = (1, *shape)[-3:]
    for layer in sorted(layers, key=lambda layer: layer not in viewer.layers.selection):
        labels = np.asarray(plane.take(layer.data) if layer.ndim == 3 else layer.data)
        mask = BoxedMask.of_plane(labels == layer.selected_label, plane, whole)
        if not mask.is_empty:
            return mask
    return None
