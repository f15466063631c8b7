"""Images whose objects are known, in files, and a model that needs no weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray

from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Geometry, Volume

SPACING_MM = (2.0, 0.5, 1.5)


@pytest.fixture
def truth() -> NDArray[np.uint16]:
    """Two ellipsoids side by side, (15, 48, 64)."""
    return ellipsoid_labels(n_objects=2)


@pytest.fixture
def volume(truth: NDArray[np.uint16]) -> Volume:
    """The image of the two, with voxels of 2 × 0.5 × 1.5 mm."""
    plain = labelled_volume(truth)
    return Volume(plain.data, Geometry.from_spacing(truth.shape, SPACING_MM), plain.provenance)


@pytest.fixture
def image(volume: Volume, tmp_path: Path) -> Path:
    """The same as a NIfTI file."""
    path = tmp_path / "image.nii.gz"
    picture = SimpleITK.GetImageFromArray(volume.data)
    picture.SetSpacing(volume.geometry.spacing_mm[::-1])
    SimpleITK.WriteImage(picture, str(path))
    return path


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> FakeSegmenter:
    """A model that finds what is as grey as the prompt; every command gets it."""
    fake = FakeSegmenter()
    # This order: a module that is first imported while the other is replaced would keep the stand-in.
    monkeypatch.setattr("napari_sam.nodes.segment_file.load_model", lambda choice: fake)
    monkeypatch.setattr("napari_sam.nodes.models.load_model", lambda choice: fake)
    return fake
