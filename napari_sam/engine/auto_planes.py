"""Everything in a plane of a volume: shown to the model as it looks, with square pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_sam.core.auto_masks import AutoMask
from napari_sam.core.auto_plan import AutoMaskSettings, Crop
from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.window import Window, resolve_window
from napari_sam.engine.auto_masks import AutoMasker, Told
from napari_sam.engine.square_pixels import DrawnPlane
from volumes import Volume

__all__ = ["auto_masks", "masks_in"]


def auto_masks(
    segmenter: Segmenter,
    volume: Volume,
    plane: PlaneRef | None = None,
    settings: AutoMaskSettings | None = None,
    window: Window | str | None = None,
    cancel: Cancel | None = None,
) -> tuple[AutoMask, ...]:
    """Find masks of everything in a plane, without a prompt.

    Parameters
    ----------
    segmenter : Segmenter
        A model, as `napari_sam.load_segmenter` gives it.
    volume : Volume
        The image.
    plane : PlaneRef, optional
        Which plane; the first one across axis 0 when None.
    settings : AutoMaskSettings, optional
        Those that the model recommends when None.
    window : Window or str, optional
        The intensities that the model sees; chosen from the whole volume when None.
    cancel : Cancel, optional
        Looked at before each batch of points.

    Returns
    -------
    tuple of AutoMask
        They may overlap. With crops, those of small crops come first; without, best predicted IoU first.

    Raises
    ------
    UnsupportedPrompt
        A segmenter that is no such model, or a model that takes no points.
    InvalidPrompt
        A plane outside the volume.
    SettingsError
        More crop layers than the plane has pixels for.
    Cancelled
        On request.
    """
    plane = PlaneRef(0, 0) if plane is None else plane
    plane.check(volume.shape)
    return masks_in(AutoMasker.of(segmenter, settings), volume, plane, resolve_window(volume, window), cancel)


def masks_in(
    masker: AutoMasker,
    volume: Volume,
    plane: PlaneRef,
    window: Window,
    cancel: Cancel | None = None,
    told: Told | None = None,
) -> tuple[AutoMask, ...]:
    """Find masks in a plane of a volume, as the window shows it.

    Parameters
    ----------
    masker : AutoMasker
        It says whether planes of oblong pixels are drawn with square ones first.
    volume, plane, window : Volume, PlaneRef, Window
        What is looked at.
    cancel, told :
        As `AutoMasker.masks` takes them.

    Returns
    -------
    tuple of AutoMask
        In the plane's own pixels.
    """
    drawn = DrawnPlane.of(volume, plane) if masker.squares else DrawnPlane(volume, plane, (1, 1))
    picture = window.to_uint8(np.asarray(drawn.plane.take(drawn.volume.data)))
    area = masker.settings.min_mask_region_area * drawn.times[0] * drawn.times[1]
    masker = replace(masker, settings=replace(masker.settings, min_mask_region_area=area))
    found = masker.masks(picture, drawn.plane, drawn.volume.shape, cancel, told)
    if drawn.is_same:
        return found
    back = (_as_it_lies(one, drawn, plane) for one in found)
    return tuple(one for one in back if not one.mask.is_empty)


def _as_it_lies(found: AutoMask, drawn: DrawnPlane, plane: PlaneRef) -> AutoMask:
    """Bring a mask of a drawn plane back to the plane."""
    down, across = drawn.times
    row0, col0, row1, col1 = found.crop.region
    region = row0 // down, col0 // across, -(-row1 // down), -(-col1 // across)
    row, col = found.point_rc
    mask = drawn.mask_back(found.mask, plane)
    return replace(
        found,
        plane=plane,
        mask=mask,
        point_rc=(row / down, col / across),
        crop=Crop(region, found.crop.layer),
    )
