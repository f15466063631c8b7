"""The embedded network that compares planes: small, whole, and refused where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_sam.errors import MissingWeights, WeightsError
from napari_sam.zoo.comparer import COMPARER_WEIGHTS, load_comparer


def test_it_is_small_and_ready() -> None:
    network = load_comparer()
    assert sum(one.numel() for one in network.parameters()) < 1_000_000
    assert COMPARER_WEIGHTS.stat().st_size < 2_000_000
    assert not network.training
    assert not any(one.requires_grad for one in network.parameters())
    assert all(one.isfinite().all() for one in network.parameters())


def test_missing_and_other_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="install it again"):
        load_comparer(tmp_path / "plane_comparer_v1.safetensors")
    save_file({"enter.0.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other\.safetensors is not of the network"):
        load_comparer(tmp_path / "other.safetensors")
