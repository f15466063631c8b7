"""The embedded network that looks at where objects may have ended: small, whole, refused where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_sam.errors import MissingWeights, WeightsError
from napari_sam.zoo.ending_eye import EYE_WEIGHTS, load_ending_eye
from napari_sam.zoo.refiner import BOX_WEIGHTS, CLICK_WEIGHTS, load_refiners
from napari_sam.zoo.registry import DEFAULT_MODEL, get


def test_with_all_other_networks_it_stays_small() -> None:
    eye, spec = load_ending_eye(), get(DEFAULT_MODEL)
    assert spec.weights.embedded is not None
    networks = (eye, load_refiners(), spec.build())
    assert sum(one.numel() for network in networks for one in network.parameters()) < 6_000_000
    files = (EYE_WEIGHTS, BOX_WEIGHTS, CLICK_WEIGHTS, spec.weights.embedded)
    assert sum(path.stat().st_size for path in files) < 12_000_000
    assert not any(part.training for part in eye.modules())
    assert not any(one.requires_grad for one in eye.parameters())
    assert all(one.isfinite().all() for one in eye.state_dict().values())


def test_missing_and_other_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="install it again"):
        load_ending_eye(tmp_path / "ending_eye_v1.safetensors")
    save_file({"here.0.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other\.safetensors is not of a network"):
        load_ending_eye(tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="is not of a network"):
        load_ending_eye(BOX_WEIGHTS)
