"""The embedded network that draws boxed objects anew: small, whole, and refused where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_sam import load_segmenter
from napari_sam.errors import MissingWeights, WeightsError
from napari_sam.settings import Settings
from napari_sam.zoo.box_refiner import REFINER_WEIGHTS, load_box_refiner
from napari_sam.zoo.registry import DEFAULT_MODEL, get


def test_it_is_small_and_ready() -> None:
    network = load_box_refiner()
    default = get(DEFAULT_MODEL).weights.embedded
    assert default is not None
    assert sum(one.numel() for one in network.parameters()) < 2_000_000
    assert REFINER_WEIGHTS.stat().st_size + default.stat().st_size < 12_000_000
    assert not network.training
    assert not any(one.requires_grad for one in network.parameters())
    assert all(one.isfinite().all() for one in network.parameters())


def test_missing_and_other_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="install it again"):
        load_box_refiner(tmp_path / "box_refiner_v1.safetensors")
    save_file({"enter.0.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other\.safetensors is not of the network"):
        load_box_refiner(tmp_path / "other.safetensors")


def test_weights_of_ones_own_answer_for_themselves(tmp_path: Path) -> None:
    embedded = get(DEFAULT_MODEL).weights.embedded
    assert embedded is not None
    own = tmp_path / "own.safetensors"
    own.write_bytes(embedded.read_bytes())
    settings = Settings.resolve(cache_dir=tmp_path)
    assert load_segmenter("default", "cpu", settings=settings).spec.refiner is not None
    assert load_segmenter("default", "cpu", own, settings).spec.refiner is None
