"""A small folder of labelled images, and a tiny model in the zoo with weights in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

import volumes
from napari_sam import zoo
from napari_sam.zoo.spec import ModelSpec
from tests.tiny_models import random_sam, registry_of, spec_of
from volumes import Geometry, Provenance, Volume

SUBJECTS = ("ann", "bob", "cem", "dot")


def discs(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Draw a labelled ball or two, ``(P, R, C)`` uint8."""
    rng = np.random.default_rng(seed)
    at = np.indices(shape)
    labels = np.zeros(shape, np.uint8)
    for number in (1, 2):
        centre = np.array([shape[0] / 2, rng.uniform(12, 36), 12 + 24 * (number - 1)])
        scale = np.array([max(shape[0] / 2, 1), 9.0, 9.0])
        distance = (((at - centre[:, None, None, None]) / scale[:, None, None, None]) ** 2).sum(axis=0)
        labels[distance < 1] = number
    return labels


def write_volume(folder: Path, name: str, seed: int, spacing_mm: tuple[float, float, float]) -> None:
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    labels = discs(seed, (8, 48, 48))
    grain = np.random.default_rng(seed).integers(0, 600, labels.shape)
    data = (labels.astype(int) * 1600 + grain).astype(np.uint16)
    geometry = Geometry.from_spacing(labels.shape, spacing_mm)
    image = Volume(data, geometry, Provenance("test"))
    volumes.write(folder / "labels" / f"{name}.nii.gz", labels, like=image)
    volumes.write(folder / "images" / f"{name}.nrrd", data, like=image)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two volumes of two subjects, and two pictures of two more."""
    data = tmp_path / "data"
    for seed, name in enumerate(SUBJECTS[:2]):
        write_volume(data, name, seed, (2.0, 1.0, 1.0))
    for seed, name in enumerate(SUBJECTS[2:], start=2):
        labels = discs(seed, (1, 48, 48))[0]
        Image.fromarray((labels * 90 + 20).astype(np.uint8)).save(data / "images" / f"{name}.png")
        Image.fromarray(labels).save(data / "labels" / f"{name}.png")
    return data


@pytest.fixture
def tiny_zoo(monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    """A tiny model that every command can name."""
    spec = spec_of()
    known = registry_of(*map(zoo.get, zoo.names()), spec)
    monkeypatch.setattr("napari_sam.zoo.registry._registry", known)
    return spec


@pytest.fixture
def tiny_weights(tmp_path: Path) -> Path:
    """Its weights."""
    path = tmp_path / "base.safetensors"
    save_file({name: value.contiguous() for name, value in random_sam().state_dict().items()}, path)
    return path
