"""Everything in planes of a volume, without a prompt: labels, and a table of what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.auto_labels import LabelRules, draw_labels, linked_ids
from napari_sam.core.auto_masks import AutoMask
from napari_sam.core.auto_plan import AutoMaskSettings
from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef, plane_range, planes_outward
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.window import Window, resolve_window
from napari_sam.engine.auto_masks import AutoMasker
from napari_sam.engine.auto_planes import masks_in
from napari_sam.errors import SettingsError
from napari_sam.nodes.progress import Progress, silent
from volumes import Volume

__all__ = [
    "AutoOptions",
    "AutoResult",
    "FoundMask",
    "FoundPlane",
    "changed_settings",
    "everything_by_plane",
    "segment_everything",
]

LINK_IOU = 0.5
"""Labels of neighbouring planes that overlap as much are one object, where linking is asked for."""


@dataclass(frozen=True)
class AutoOptions:
    """Which planes, how they are seen, and what is kept.

    Parameters
    ----------
    axis : int
        The axis that the planes cut across.
    planes : tuple of int, optional
        Half-open range of plane indices; all when None.
    window : str, optional
        As in `parse_window`; chosen from the volume when None.
    changes : mapping
        Fields of `AutoMaskSettings` that differ from what the model recommends.
    rules : LabelRules
        How masks become labels.
    link : bool
        Give labels of neighbouring planes that overlap by `LINK_IOU` the same id.
    begin : int, optional
        The plane to begin at and go outward from, on both sides in turn; the first one when None.
    """

    axis: int = 0
    planes: tuple[int, int] | None = None
    window: str | None = None
    changes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    rules: LabelRules = LabelRules()  # noqa: RUF009 - frozen
    link: bool = False
    begin: int | None = None


@dataclass(frozen=True, eq=False)
class FoundMask:
    """A mask with its id.

    Attributes
    ----------
    id : int
        Its label.
    mask : AutoMask
        What was found.
    label_px : int
        Pixels of its plane that bear its label; 0 for a mask that gave way to others.
    """

    id: int
    mask: AutoMask
    label_px: int


@dataclass(frozen=True, eq=False)
class FoundPlane:
    """What was found in one plane.

    Attributes
    ----------
    plane : PlaneRef
        Which plane.
    labels : NDArray[int], shape (H, W)
        0 for background.
    found : tuple of FoundMask
        All masks, those that gave way to others included.
    """

    plane: PlaneRef
    labels: NDArray[Any]
    found: tuple[FoundMask, ...]


@dataclass(frozen=True, eq=False)
class AutoResult:
    """What was found.

    Attributes
    ----------
    labels : NDArray[uint16 or uint32], shape (P, R, C)
        0 for background.
    found : tuple of FoundMask
        All masks, plane by plane in the order in which they were done; unless linked, each has its own id.
    window : Window
        The intensities that the model saw.
    settings : AutoMaskSettings
        What was asked, and what was kept.
    """

    labels: NDArray[Any]
    found: tuple[FoundMask, ...]
    window: Window
    settings: AutoMaskSettings

    @property
    def n_objects(self) -> int:
        """How many labels there are."""
        return len({one.id for one in self.found if one.label_px})


def changed_settings(recommended: AutoMaskSettings, changes: Mapping[str, Any]) -> AutoMaskSettings:
    """Change some of the recommended settings.

    Raises
    ------
    SettingsError
        A setting that there is not, or a value that it cannot have.
    """
    try:
        return replace(recommended, **changes)
    except TypeError as error:
        raise SettingsError(
            f"unknown settings among {', '.join(changes)}; choose of the fields of AutoMaskSettings"
        ) from error


def segment_everything(
    volume: Volume,
    segmenter: Segmenter,
    options: AutoOptions | None = None,
    *,
    progress: Progress = silent,
    cancel: Cancel | None = None,
) -> AutoResult:
    """Find everything in planes of a volume.

    Parameters
    ----------
    volume : Volume
        The image.
    segmenter : Segmenter
        A model, as `napari_sam.load_segmenter` gives it.
    options : AutoOptions, optional
        Which planes, and what is kept.
    progress : Progress
        Told how many points of all planes are answered.
    cancel : Cancel, optional
        Looked at before each batch of points.

    Returns
    -------
    AutoResult

    Raises
    ------
    InvalidPrompt
        A range outside the volume.
    InvalidWindow, SettingsError
        A window or settings that cannot be used.
    UnsupportedPrompt
        A segmenter without a model that can be asked at points.
    Cancelled
        On request.
    """
    options, cancel = options or AutoOptions(), cancel or Cancel()
    window = resolve_window(volume, options.window)
    masker = _masker(segmenter, options)
    labels: NDArray[Any] = np.zeros(volume.shape, dtype=np.uint16)
    found: list[FoundMask] = []
    for one in _planes(volume, masker, window, options, (progress, cancel)):
        if max((mask.id for mask in one.found), default=0) > np.iinfo(labels.dtype).max:
            labels = labels.astype(np.uint32)
        one.plane.take(labels)[...] = one.labels
        found += one.found
    return AutoResult(labels, tuple(found), window, masker.settings)


def everything_by_plane(
    volume: Volume,
    segmenter: Segmenter,
    window: Window,
    options: AutoOptions | None = None,
    *,
    cancel: Cancel | None = None,
) -> Iterator[FoundPlane]:
    """Find everything in planes of a volume, and give each plane as soon as it is done.

    Parameters and errors as `segment_everything`, but for the window, which is explicit.

    Yields
    ------
    FoundPlane
        Its ids go on from those of the planes before.
    """
    options = options or AutoOptions()
    masker = _masker(segmenter, options)
    yield from _planes(volume, masker, window, options, (silent, cancel or Cancel()))


def _masker(segmenter: Segmenter, options: AutoOptions) -> AutoMasker:
    masker = AutoMasker.of(segmenter)
    return replace(masker, settings=changed_settings(masker.settings, options.changes))


def _planes(
    volume: Volume,
    masker: AutoMasker,
    window: Window,
    options: AutoOptions,
    watch: tuple[Progress, Cancel],
) -> Iterator[FoundPlane]:
    progress, cancel = watch
    reach = plane_range(volume.shape, options.axis, options.planes)
    begin = PlaneRef(options.axis, reach[0] if options.begin is None else options.begin)
    planes = planes_outward(begin, volume.shape[options.axis], reach)
    highest, ends = 0, dict[int, NDArray[Any]]()
    for n_before, plane in enumerate(planes):
        cancel.check()

        def told(n_done: int, n_all: int, n_before: int = n_before) -> None:
            progress("asking at points", n_before * n_all + n_done, len(planes) * n_all)

        masks = masks_in(masker, volume, plane, window, cancel, told)
        beside = ends.get(plane.index - 1, ends.get(plane.index + 1))
        one = _drawn(masks, plane, plane.shape_hw(volume.shape), (options, beside), highest + 1)
        highest = max([highest, *(mask.id for mask in one.found)])
        ends[plane.index] = one.labels
        ends = {index: ends[index] for index in (min(ends), max(ends))}
        yield one


def _drawn(
    masks: tuple[AutoMask, ...],
    plane: PlaneRef,
    shape_hw: tuple[int, int],
    how: tuple[AutoOptions, NDArray[Any] | None],
    first_id: int,
) -> FoundPlane:
    """Draw the masks of a plane, and give each its id: a new one, or that of the label beside it."""
    options, beside = how
    ids = np.arange(first_id, first_id + len(masks))
    drawn = draw_labels(masks, ids.tolist(), shape_hw, options.rules)
    counts = np.bincount(drawn.ravel(), minlength=first_id + len(masks))[ids]
    if options.link and beside is not None:
        for new, old in linked_ids(beside, drawn, LINK_IOU).items():
            drawn[drawn == new] = old
            ids[new - first_id] = old
    found = (
        FoundMask(int(number), mask, int(count))
        for number, mask, count in zip(ids, masks, counts, strict=True)
    )
    return FoundPlane(plane, drawn, tuple(found))
