"""One box on one plane, and the object through the volume; and whether a method knows where it ends."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask, innermost_point, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.propagation import PropagationLimits, propagate
from napari_sam.core.segmenter import Segmenter, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.window import Window, resolve_window
from napari_sam.nodes.kinds import is_film, kind_of
from napari_sam.nodes.progress import Progress, silent
from napari_sam.nodes.tasks import jitter_box, read_volume
from napari_sam.nodes.volume_objects import VolumeObject
from napari_sam.nodes.volume_scores import VolumeScore, choose_anchor, score_volume
from volumes import Volume

__all__ = ["Presence", "VolumeOutcome", "follow_objects", "planes_near_ends", "presence_near_ends"]

_OBJECT = 1
_REACH = 2
"""Planes looked at on each side of an object's end."""


@dataclass(frozen=True)
class Presence:
    """What a method says of planes beside an object's ends: the probability that it is there.

    Attributes
    ----------
    holding, ended : tuple of float
        In planes that hold the object, and in planes that no longer do.
    """

    holding: tuple[float, ...] = ()
    ended: tuple[float, ...] = ()


@dataclass(frozen=True)
class VolumeOutcome:
    """How a method did on one object of a volume.

    Attributes
    ----------
    id, kind, group, name : str
        The object, its kind of image, its modality, its class.
    structure : str or None
        The organ that published figures name.
    n_voxels, anchor : int
        Its size, and the prompted plane's index.
    score : VolumeScore
        Overlap, ends, and agreement by distance.
    presence : Presence
        Beside its ends.
    """

    id: str
    kind: str
    group: str
    name: str
    structure: str | None
    n_voxels: int
    anchor: int
    score: VolumeScore
    presence: Presence


@dataclass(frozen=True)
class VolumeRule:
    """How an object of a volume is prompted.

    Parameters
    ----------
    anchor : str
        ``"middle"`` or ``"largest"``: which of its planes gets the box.
    jitter : float
        Each side of the box moves by up to this share of its extent.
    """

    anchor: str = "middle"
    jitter: float = 0.0


def follow_objects(
    segmenter: Segmenter,
    objects: Sequence[VolumeObject],
    rule: VolumeRule,
    *,
    progress: Progress = silent,
    cancel: Cancel | None = None,
) -> Iterator[VolumeOutcome]:
    """Follow each object from one box through its volume, volume by volume.

    Raises
    ------
    VolumeError, InvalidDataset
        A volume that cannot be read.
    Cancelled
        On request.
    """
    cancel, n_done = cancel or Cancel(), 0
    for item, group in groupby(
        sorted(objects, key=lambda one: str(one.item.image)), key=lambda one: one.item
    ):
        volume, labels = read_volume(item)
        window = resolve_window(volume)
        for one in group:
            cancel.check()
            yield _outcome(segmenter, one, (volume, window, one.truth(labels)), rule, cancel)
            n_done += 1
            progress(f"volumes: {segmenter.name}", n_done, len(objects))


def _outcome(
    segmenter: Segmenter,
    one: VolumeObject,
    seen: tuple[Volume, Window, NDArray[np.bool_]],
    rule: VolumeRule,
    cancel: Cancel,
) -> VolumeOutcome:
    volume, window, truth = seen
    anchor = choose_anchor(truth, rule.anchor)
    box_hw = tight_box(truth[anchor]) or (0, 0, 0, 0)
    if rule.jitter > 0:
        box_hw = jitter_box(box_hw, truth.shape[1:], rule.jitter, zlib.crc32(one.id.encode()))
    session = Session(volume, window=window)
    plane = PlaneRef(0, anchor)
    request = session.prompt(plane, BoxPrompt(plane.box_of(box_hw)), object_id=_OBJECT)
    session.apply(segmenter.segment(request), request)
    if session.mask_on(plane, _OBJECT) is not None:
        in_film = is_film(one.item) or None
        for _ in propagate(session, segmenter, _OBJECT, axis=0, cancel=cancel, film=in_film):
            pass
    cancel.check()
    score = score_volume(session.labels == _OBJECT, truth, anchor)
    presence = presence_near_ends(segmenter, volume, window, truth)
    return VolumeOutcome(
        one.id, kind_of(one.item), one.item.kind, one.name, one.structure,
        int(np.count_nonzero(truth)), anchor, score, presence,
    )  # fmt: skip


def presence_near_ends(
    segmenter: Segmenter, volume: Volume, window: Window, truth: NDArray[np.bool_]
) -> Presence:
    """Ask for planes beside both ends of an object, with prompts carried from its true mask.

    Parameters
    ----------
    segmenter : Segmenter
        The method; one without an opinion says 1 everywhere.
    volume, window : Volume, Window
        What is asked about.
    truth : NDArray[bool], shape (P, R, C)
        The object.
    """
    said: dict[bool, list[float]] = {True: [], False: []}
    limits = PropagationLimits()
    for source, target in planes_near_ends(truth):
        mask = BoxedMask.of_plane(truth[source], PlaneRef(0, source), volume.shape)
        plane = PlaneRef(0, target)
        prompts = _carried(mask.moved_to(plane), plane, volume, segmenter.prompts, limits)
        prediction = segmenter.segment(SegmentRequest(volume, plane, window, prompts))
        said[bool(truth[target].any())].append(prediction.presence)
    return Presence(tuple(said[True]), tuple(said[False]))


def planes_near_ends(truth: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """List which planes are asked about, each with the plane whose true mask is carried to it.

    Parameters
    ----------
    truth : NDArray[bool], shape (P, R, C)
        An object of one plane or more.

    Returns
    -------
    list of (int, int)
        Source and target: at each end the last two planes of the object, from the plane before each, and the
        two planes beyond, from the object's last. An end at the volume's own end is no end: it is left out.
    """
    filled: NDArray[np.bool_] = np.asarray(truth.any(axis=(1, 2)))
    planes = np.flatnonzero(filled)
    pairs: list[tuple[int, int]] = []
    for end, step in ((int(planes[0]), -1), (int(planes[-1]), 1)):
        if not 0 <= end + step < len(truth):
            continue
        for offset in range(1 - _REACH, _REACH + 1):
            target = end + step * offset
            source = target - step if offset <= 0 else end
            inside = all(0 <= index < len(truth) for index in (source, target))
            if inside and filled[source] and filled[target] == (offset <= 0):
                pairs.append((source, target))
    return pairs


def _carried(
    mask: BoxedMask, plane: PlaneRef, volume: Volume, usable: frozenset[str], limits: PropagationLimits
) -> tuple[Prompt, ...]:
    """Make the prompts that propagation makes of a neighbour's mask, as far as a method can use them."""
    prompts: list[Prompt] = []
    if "box" in usable:
        prompts.append(BoxPrompt(limits.grown_box(mask.box, plane, volume.shape)))
    if "point" in usable:
        prompts.append(PointPrompt(plane.at(*innermost_point(mask.to_plane(plane, volume.shape)))))
    if "mask" in usable:
        prompts.append(MaskPrompt(mask))
    return tuple(prompts)
