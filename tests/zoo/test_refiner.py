"""The embedded networks that draw answers anew: small, whole, and refused where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_sam import load_segmenter
from napari_sam.errors import MissingWeights, WeightsError
from napari_sam.settings import Settings
from napari_sam.zoo.refiner import BOX_WEIGHTS, CLICK_WEIGHTS, load_refiner, load_refiners
from napari_sam.zoo.registry import DEFAULT_MODEL, get


def test_they_are_small_and_ready() -> None:
    networks, spec = load_refiners(), get(DEFAULT_MODEL)
    default = spec.weights.embedded
    assert default is not None
    n_parameters = sum(one.numel() for part in (networks, spec.build()) for one in part.parameters())
    assert n_parameters < 6_000_000
    assert sum(path.stat().st_size for path in (BOX_WEIGHTS, CLICK_WEIGHTS, default)) < 12_000_000
    assert not any(part.training for part in networks.modules())
    assert not any(one.requires_grad for one in networks.parameters())
    assert all(one.isfinite().all() for one in networks.parameters())
    assert networks.of_clicks.sees_clicks
    assert not networks.of_boxes.sees_clicks


def test_missing_and_other_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="install it again"):
        load_refiner(tmp_path / "click_refiner_v2.safetensors")
    save_file({"enter.0.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other\.safetensors is not of a network"):
        load_refiner(tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="is not of a network"):
        load_refiner(BOX_WEIGHTS)


def test_weights_of_ones_own_answer_for_themselves(tmp_path: Path) -> None:
    embedded = get(DEFAULT_MODEL).weights.embedded
    assert embedded is not None
    own = tmp_path / "own.safetensors"
    own.write_bytes(embedded.read_bytes())
    settings = Settings.resolve(cache_dir=tmp_path)
    assert load_segmenter("default", "cpu", settings=settings).spec.refiner is not None
    assert load_segmenter("default", "cpu", own, settings).spec.refiner is None
