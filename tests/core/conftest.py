"""A volume of two objects and a session on it; a module that needs another makes its own."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.session import Session
from tests.core.square_answers import SHAPE
from tests.fakes import ellipsoid_labels, labelled_volume


@pytest.fixture
def truth() -> NDArray[np.uint16]:
    """Two ellipsoids side by side, (7, 32, 48)."""
    return ellipsoid_labels(SHAPE, n_objects=2)


@pytest.fixture
def session(truth: NDArray[np.uint16]) -> Session:
    """A session on the volume of the two, with nothing in its labels yet."""
    return Session(labelled_volume(truth))
