"""What the network that looks at ends learns from, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import fit_ending_eye
from benchmarks._varied_volumes import VARIED_KINDS, make_varied
from napari_sam.core.ending import NAMES
from napari_sam.models.ending_eye import CELLS, N_NUMBERS
from tests.fakes import FakeSegmenter


@pytest.mark.parametrize("kind", ["bent", "nests", "sheets", "sharp organs", "cords"])
def test_volumes_of_each_kind_have_objects_and_are_the_same_twice(kind: str) -> None:
    first, second = make_varied(kind, 302), make_varied(kind, 302)
    assert kind in VARIED_KINDS
    assert first.objects
    assert np.array_equal(first.volume.data, second.volume.data)
    assert all(mask.shape == first.volume.shape for mask in first.objects)


def test_objects_are_followed_past_their_ends_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_ending_eye, "_segmenter", FakeSegmenter)
    monkeypatch.setattr(fit_ending_eye, "OBJECTS_A_VOLUME", 2)
    file = fit_ending_eye._record(("sharp organs", 302, tmp_path))
    assert file is not None
    rows = dict(np.load(file, allow_pickle=False))
    n = len(rows["trust"])
    assert rows["greys"].shape == (n, 3, CELLS, CELLS)
    assert rows["numbers"].shape == (n, len(NAMES)) == (n, N_NUMBERS)
    assert rows["precision"].min() >= 0
    assert rows["precision"].max() > 0.8
    monkeypatch.setattr(fit_ending_eye, "_segmenter", None)
    assert fit_ending_eye._record(("sharp organs", 302, tmp_path)) == file


def test_it_learns_to_tell_an_empty_plane() -> None:
    rng, n = np.random.default_rng(0), 512
    is_there = np.arange(n) % 2 == 0
    masks = np.zeros((n, 2, CELLS, CELLS), np.uint8)
    masks[:, :, 12:36, 12:36] = 255
    greys = np.where(masks[:, :1] > 0, 160, 60).repeat(3, axis=1)
    greys[~is_there, 0] = 60
    rows = {
        "greys": (greys + rng.integers(-5, 6, greys.shape)).astype(np.uint8),
        "masks": masks, "anchor_grey": greys[:, 1].astype(np.uint8), "anchor_mask": masks[:, 0],
        "numbers": rng.normal(0, 1, (n, N_NUMBERS)), "trust": np.zeros(n), "precision": 1.0 * is_there,
    }  # fmt: skip
    network = fit_ending_eye.train(rows, 40)
    with torch.inference_mode():
        told = network(fit_ending_eye._seen(rows, np.arange(0, n, 7))) > 0
    assert np.mean(told.numpy() == is_there[::7]) > 0.95
