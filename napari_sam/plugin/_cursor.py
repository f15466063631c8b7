"""What lies under the cursor: the voxel, where it is in the patient, and its value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_sam.nodes.amounts import units_in
from napari_sam.plugin._images import NAMESPACE, patient_geometry
from napari_sam.plugin._space import index_at
from volumes import Geometry, Volume

__all__ = ["cursor_text", "label_under", "text_under"]


def text_under(image: Any, position: Sequence[float], *, ndisplay: int = 2) -> str:
    """Describe what an image layer has at a world position, from the plane that napari shows already.

    Parameters
    ----------
    image : napari.layers.Image
        With 2 or 3 axes.
    position : sequence of float
        In napari's world, as mouse events have it.
    ndisplay : int
        2, or 3 for a 3-D view, where a position means no voxel.

    Returns
    -------
    str
        As `cursor_text`; empty outside the image and in a 3-D view.
    """
    if ndisplay != 2:
        return ""
    voxel_idx = tuple(math.floor(at + 0.5) for at in index_at(image, position))
    shape = (1, *image.extent.data[1].astype(int) + 1)[-3:]
    if any(not 0 <= at < length for at, length in zip(voxel_idx, shape, strict=True)):
        return ""
    volume = image.metadata.get(NAMESPACE, {}).get("volume")
    modality = volume.provenance.modality if isinstance(volume, Volume) else None
    value = image.get_value(position, world=True)
    return cursor_text(
        voxel_idx,
        value[1] if isinstance(value, tuple) else value,  # multiscale: (level, value)
        patient_geometry(image),
        "HU" if modality == "CT" else "",
    )


def label_under(labels: Any, position: Sequence[float], names: Mapping[int, str]) -> str:
    """Say which object the labels have at a world position: ``"Liver"``; empty where there is none.

    Parameters
    ----------
    labels : napari.layers.Labels or None
        With 2 or 3 axes.
    position : sequence of float
        In napari's world.
    names : mapping of int to str
        Label to name.
    """
    value = None if labels is None else labels.get_value(position, world=True)
    if isinstance(value, tuple):  # multiscale: (level, value)
        value = value[1]
    return "" if value is None or int(value) == 0 else names.get(int(value), f"label {int(value)}")


def cursor_text(
    voxel_idx: Sequence[int], value: Any, geometry: Geometry | None = None, unit: str = ""
) -> str:
    """Say which voxel it is, where its centre lies, and what it holds.

    Parameters
    ----------
    voxel_idx : sequence of int
        (plane, row, column).
    value : number, ndarray of shape (3,) or (4,), or None
        Grey value or colour, where it is known.
    geometry : Geometry, optional
        The image's, where its place in a patient is known: oblique, sheared or mirrored, as it is.
    unit : str
        Of the value.

    Returns
    -------
    str
        ``"(40, 210, 133) · -31.5, 12.0, 880.0 mm LPS · 57 HU"``.
    """
    parts = ["({}, {}, {})".format(*voxel_idx)]
    if geometry is not None:
        to = units_in(geometry)
        place = geometry.index_to_mm(voxel_idx) * to.per_mm + 0.0
        parts.append("{:.1f}, {:.1f}, {:.1f} ".format(*place) + f"{to.length} LPS")
    if value is not None:
        numbers = np.atleast_1d(np.asarray(value))[:3].tolist()
        parts.append(" ".join(f"{number:.6g}" for number in numbers) + (f" {unit}" if unit else ""))
    return " · ".join(parts)
