"""Sessions to be saved."""

from __future__ import annotations

import numpy as np

import volumes
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.store.session_file import SessionFolder
from tests.fakes import NestedSegmenter

SHAPE = (4, 10, 12)


def ct(seed: int = 0) -> volumes.Volume:
    """Small random volume with a geometry of its own, and a provenance that tells too much."""
    data = np.random.default_rng(seed).integers(-1000, 1000, SHAPE).astype(np.int16)
    affine = np.array([[0, 0, 0.7, -120.5], [0, 0.8, 0, 33.25], [2.5, 0, 0, -900.0], [0, 0, 0, 1.0]])
    provenance = volumes.Provenance(
        "DICOM", "CT", series_uid="1.2.3.4.5", notes=("read from /home/jane/doe",)
    )
    return volumes.Volume(data, volumes.Geometry(SHAPE, affine, "9.8.7"), provenance)


def session_with_everything(volume: volumes.Volume) -> Session:
    """Prompts of all kinds, painted and propagated planes, a name and a lock."""
    session = Session(volume, window=Window(-160, 240))
    mask = np.zeros(SHAPE[1:], bool)
    mask[2:6, 3:9] = True
    mask[3, 4] = False
    plane, across = PlaneRef(0, 2), PlaneRef(2, 5)
    painted = BoxedMask.of_plane(mask, plane, SHAPE)
    session.prompt(plane, PointPrompt((2, 3, 5)), PointPrompt((2, 9.25, 0), False), object_id=1)
    session.prompt(plane, BoxPrompt(volumes.Box((2, 1, 2), (3, 7, 10))), MaskPrompt(painted), object_id=1)
    session.write(plane, painted, 1)
    session.write(PlaneRef(0, 3), painted.moved_to(PlaneRef(0, 3)), 1, propagated=True)
    session.prompt(across, BoxPrompt(volumes.Box((0, 7, 5), (3, 10, 6))), object_id=4)
    session.rename(4, "Milz – spleen")
    session.lock(4)
    return session


def session_with_a_choice(folder: SessionFolder) -> Session:
    """Three planes of discs, the largest of three candidates chosen, every edit in the log."""
    session = Session(ct_of_discs(), window=Window(0, 300))
    request = session.prompt(PlaneRef(0, 1), PointPrompt((1, 15, 23)))
    session.apply(NestedSegmenter().segment(request), request)
    folder.save(session)
    folder.follow(session)
    session.choose(PlaneRef(0, 1), 2)
    return session


def ct_of_discs() -> volumes.Volume:
    """Three planes with the same disc."""
    rows, cols = np.ogrid[:32, :48]
    disc = (rows - 15) ** 2 + (cols - 23) ** 2 <= 64
    data = np.repeat(np.where(disc, 200, 50)[None], 3, 0).astype(np.int16)
    return volumes.Volume(data, volumes.Geometry.from_spacing(data.shape), volumes.Provenance("test"))
