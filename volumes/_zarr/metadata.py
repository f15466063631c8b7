"""The OME-NGFF metadata of what is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from volumes.geometry import Geometry
from volumes.segments import Segment

__all__ = ["AFFINE_KEY", "image_metadata", "label_metadata", "placed"]

AFFINE_KEY = "affine_lps_mm"
"""Attribute with the (4, 4) matrix of `Geometry.affine` where scale and translation cannot hold it."""

_PLAIN_SPACING = (1.0, 1.0, 1.0)


def placed(shape: Sequence[int], n_levels: int) -> list[tuple[int, int, int]]:
    """Shapes of the levels: rows and columns halved each time."""
    planes, rows, columns = shape
    return [(planes, rows >> level, columns >> level) for level in range(n_levels)]


def image_metadata(geometry: Geometry, n_levels: int, is_rgb: bool) -> dict[str, Any]:
    """Attributes of an image, version 0.4. A pixel of a coarser level lies amid those it is the mean of."""
    metadata = _multiscales(geometry, n_levels, is_rgb, amid=True) | _exact_place(geometry)
    if is_rgb:
        metadata["omero"] = {
            "version": "0.4",
            "rdefs": {"model": "color"},
            "channels": [_channel(name, at) for at, name in enumerate(("Red", "Green", "Blue"))],
        }
    return metadata


def label_metadata(
    geometry: Geometry, n_levels: int, segments: Sequence[Segment], version: str, *, inside: bool
) -> dict[str, Any]:
    """Attributes of a label image.

    Parameters
    ----------
    geometry : Geometry
        Of the labels.
    n_levels : int
        Of the pyramid.
    segments : sequence of Segment
        What the values mean.
    version : str
        ``"0.4"`` or ``"0.5"``.
    inside : bool
        Whether it lies in ``IMAGE/labels/NAME``.
    """
    label: dict[str, Any] = {
        "version": version,
        "properties": [{"label-value": one.value, "name": one.title} for one in segments],
    }
    coloured = [one for one in segments if one.colour is not None]
    if coloured:
        label["colors"] = [{"label-value": one.value, "rgba": [*(one.colour or ()), 255]} for one in coloured]
    if inside:
        label["source"] = {"image": "../../"}
    metadata = _multiscales(geometry, n_levels, False, amid=False) | {"image-label": label}
    exact = _exact_place(geometry)
    if version == "0.4":
        return metadata | exact
    del metadata["multiscales"][0]["version"]
    return {"ome": metadata | {"version": version}} | exact


def _multiscales(geometry: Geometry, n_levels: int, has_channels: bool, *, amid: bool) -> dict[str, Any]:
    spacing = geometry.spacing_mm
    is_sized = spacing != _PLAIN_SPACING
    unit = {"unit": "millimeter"} if is_sized or not _is_plain(geometry) else {}
    channel = [{"name": "c", "type": "channel"}] * has_channels
    axes = channel + [{"name": name, "type": "space", **unit} for name in "zyx"]
    origin = geometry.affine[2::-1, 3] if _is_upright(geometry) else np.zeros(3)
    datasets = []
    for level in range(n_levels):
        scale = np.multiply(spacing, (1, 2**level, 2**level))
        shift = origin + (scale - spacing) / 2 * amid
        transforms: list[dict[str, Any]] = [{"type": "scale", "scale": [1.0] * has_channels + scale.tolist()}]
        if shift.any():
            transforms.append({"type": "translation", "translation": [0.0] * has_channels + shift.tolist()})
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    return {"multiscales": [{"version": "0.4", "axes": axes, "datasets": datasets}]}


def _is_upright(geometry: Geometry) -> bool:
    """Whether columns run along x, rows along y and planes along z, so that scale and translation say all."""
    return bool(np.array_equal(geometry.affine[2::-1, :3], np.diag(geometry.spacing_mm)))


def _is_plain(geometry: Geometry) -> bool:
    """Whether this is the geometry of a picture without a size."""
    return bool(np.array_equal(geometry.affine, Geometry.from_spacing(geometry.shape).affine))


def _exact_place(geometry: Geometry) -> dict[str, Any]:
    """Keep the affine, where scale and translation cannot hold it."""
    return {} if _is_upright(geometry) else {AFFINE_KEY: geometry.affine.tolist()}


def _channel(name: str, at: int) -> dict[str, Any]:
    colour = ("FF0000", "00FF00", "0000FF")[at]
    window = {"min": 0, "start": 0, "end": 255, "max": 255}
    return {"label": name, "color": colour, "active": True, "window": window}
