"""Precision and side: who gets what, and that no embedding is taken for another's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import napari_sam
from napari_sam import zoo
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine import precision
from napari_sam.engine.precision import at_side, choose_precision, in_precision
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.errors import DeviceUnavailable, SettingsError
from napari_sam.settings import Settings
from napari_sam.store.cache import EmbeddingStore
from tests.fakes import ellipsoid_labels, labelled_volume
from tests.tiny_models import SIDE, build_vit_sam, random_sam, spec_of

CPU = torch.device("cpu")
NEAR, FAR = spec_of(bfloat16_cosine=0.9995), spec_of(bfloat16_cosine=0.998)


@pytest.fixture(params=[True, False], ids=["bfloat16 here", "none here"])
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(precision, "has_native_bfloat16", lambda: request.param)
    return bool(request.param)


def test_auto_wants_hardware_and_a_measured_cosine(native: bool) -> None:
    assert choose_precision("auto", NEAR, CPU) == ("bfloat16" if native else "float32")
    assert choose_precision("auto", FAR, CPU) == "float32"
    assert choose_precision("auto", spec_of(), CPU) == "float32"
    assert choose_precision(" Float32 ", NEAR, CPU) == "float32"


def test_bfloat16_is_refused_where_it_is_emulated(native: bool) -> None:
    if native:
        assert choose_precision("bfloat16", FAR, CPU) == "bfloat16"
    else:
        with pytest.raises(DeviceUnavailable, match="precision float32"):
            choose_precision("bfloat16", NEAR, CPU)
    with pytest.raises(DeviceUnavailable, match="'mps'"):
        choose_precision("bfloat16", NEAR, torch.device("mps"))


def test_another_precision_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match="'half'.*auto, float32, bfloat16"):
        choose_precision("half", NEAR, CPU)


def test_precisions_and_sides_have_embeddings_of_their_own(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, 2**24, 2**24)
    volume = labelled_volume(ellipsoid_labels((3, 41, 39)))
    request = SegmentRequest(volume, PlaneRef(0, 1), Window(-100, 900), (PointPrompt((1, 20, 20)),))
    answers = []
    for wish, side in (("float32", SIDE), ("bfloat16", SIDE), ("float32", SIDE // 2)):
        model, spec = at_side(random_sam(build=build_vit_sam), spec_of(build=build_vit_sam), side)
        model, spec = in_precision(model, spec, wish)  # type: ignore[arg-type]
        answers.append(SamSegmenter(model, spec, "5" * 64, store, CPU).segment(request))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 3
    exact, near, small = (answer.hints for answer in answers)
    assert exact.shape == near.shape == (3, SIDE // 4, SIDE // 4)
    assert small.shape == (3, SIDE // 8, SIDE // 8)
    assert np.corrcoef(exact.ravel(), near.ravel())[0, 1] > 0.99


def test_a_network_without_products_of_its_own_is_cast_as_a_whole() -> None:
    model, exact = random_sam(), random_sam()
    pixels = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    model.use_precision(torch.bfloat16)
    for name, level in model.encode(pixels).items():
        expected = exact.encode(pixels)[name]
        assert torch.cosine_similarity(level.flatten().float(), expected.flatten(), dim=0) > 0.99


@pytest.mark.parametrize("side", [-16, 16, 100])
def test_sides_that_patches_do_not_divide_are_refused(side: int) -> None:
    with pytest.raises(SettingsError, match=f"side {side} .*multiple of 16"):
        at_side(random_sam(build=build_vit_sam), spec_of(), side)


def test_a_model_that_has_one_side_only_says_so() -> None:
    with pytest.raises(SettingsError, match="leave out the side"):
        at_side(random_sam(), spec_of(), 32)


def test_loading_in_a_precision_and_at_a_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_native_bfloat16", lambda: True)
    path = tmp_path / "test_sam.safetensors"
    save_file(random_sam(build=build_vit_sam).state_dict(), path)
    spec = spec_of(build=build_vit_sam, bfloat16_cosine=1.0)
    monkeypatch.setattr(zoo, "get", lambda name: spec)
    settings = Settings(tmp_path / "cache", 2**26, 2**26, device="cpu")

    def loaded(settings: Settings, **options: object) -> tuple[torch.dtype, int]:
        segmenter = napari_sam.load_segmenter("any.model", "cpu", path, settings, **options)  # type: ignore[arg-type]
        return segmenter._model.precision, segmenter._model.side

    assert loaded(settings) == (torch.bfloat16, SIDE)
    assert loaded(settings, precision="float32", side=32) == (torch.float32, 32)
    assert loaded(replace(settings, precision="float32")) == (torch.float32, SIDE)
