"""Objects to follow through a volume, and what was told of each plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.propagation import PlanePrediction
from napari_sam.core.session import Session
from tests.fakes import FakeSegmenter, labelled_volume

SHAPE = (15, 32, 48)
PLANE = PlaneRef(0, 7)
CENTRE = (7, 15, 23)


def prompt_plane(session: Session, segmenter: FakeSegmenter, plane: PlaneRef = PLANE) -> None:
    """Click on the ellipsoid's middle in a plane."""
    at = list(CENTRE)
    at[plane.axis] = plane.index
    request = session.prompt(plane, PointPrompt((at[0], at[1], at[2])), object_id=1)
    session.apply(segmenter.segment(request), request)


def cylinder_session(n_planes: int = 11) -> Session:
    """An object that is the same disc in every plane."""
    rows, cols = np.ogrid[:32, :48]
    disc = (rows - 15) ** 2 + (cols - 23) ** 2 <= 64
    return Session(labelled_volume(np.repeat(disc[None], n_planes, axis=0).astype(np.uint16)))


def by_plane(predictions: Sequence[PlanePrediction]) -> dict[int, PlanePrediction]:
    """The last word on each plane."""
    return {prediction.plane.index: prediction for prediction in predictions}
