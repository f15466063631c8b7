from __future__ import annotations

import hashlib
import logging
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
from napari_sam.core.session import Session
from napari_sam.engine.device import choose_device
from napari_sam.errors import DeviceUnavailable, MissingWeights, UnknownModel
from napari_sam.models.tiny_sam import build_tiny_sam
from napari_sam.settings import Settings
from tests.fakes import ellipsoid_labels, labelled_volume


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "cache", 2**26, 2**26, device="cpu")


@pytest.fixture(scope="module")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    torch.manual_seed(0)
    save_file(build_tiny_sam().state_dict(), path)
    return path


def test_from_a_name_and_a_file_to_a_mask(settings: Settings, tiny_weights: Path) -> None:
    segmenter = napari_sam.load_segmenter("default", device="cpu", weights=tiny_weights, settings=settings)
    assert segmenter.name == "tiny_sam.v6"
    assert segmenter.device == torch.device("cpu")
    assert segmenter.weights_sha256 == hashlib.sha256(tiny_weights.read_bytes()).hexdigest()
    volume = labelled_volume(ellipsoid_labels((3, 41, 39)))
    session = Session(volume)
    request = session.prompt(PlaneRef(0, 1), PointPrompt((1, 20, 20)), object_id=1)
    prediction = segmenter.segment(request)
    session.apply(prediction, request)
    assert prediction.hints.shape == (3, 96, 96)
    assert np.count_nonzero(session.labels) == prediction.masks[prediction.best].area
    assert list((settings.cache_dir / "embeddings").rglob("*.safetensors"))


def test_settings_choose_the_default_model_and_device(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"sam_vit_b\.meta"):
        napari_sam.load_segmenter(settings=replace(settings, model="sam_vit_b.meta"))
    with pytest.raises(DeviceUnavailable, match="'tpu'"):
        napari_sam.load_segmenter(settings=replace(settings, device="tpu"))


def test_environment_chooses_where_nothing_is_passed(
    monkeypatch: pytest.MonkeyPatch, tiny_weights: Path
) -> None:
    monkeypatch.setenv("NAPARI_SAM_MODEL", "sam_vit_l.meta")
    with pytest.raises(MissingWeights, match=r"sam_vit_l\.meta"):
        napari_sam.load_segmenter()
    monkeypatch.setenv("NAPARI_SAM_MODEL", "no_such.model")
    with pytest.raises(UnknownModel, match="choose one of"):
        napari_sam.load_segmenter(weights=tiny_weights)


def test_what_a_checkpoint_holds_besides_is_said(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "c.pt"
    torch.save({"model": build_tiny_sam().state_dict(), "decoder_state": {"x": torch.zeros(1)}}, path)
    with caplog.at_level(logging.WARNING):
        napari_sam.load_segmenter("tiny_sam.v6", weights=path, settings=settings)
    assert "left out" in caplog.text
    assert "decoder_state" in caplog.text


def test_embedded_weights_are_those_of_the_model() -> None:
    path = zoo.get("default").weights.embedded
    assert path is not None
    assert path.stat().st_size <= 12 * 10**6
    napari_sam.load_segmenter("default", device="cpu")


def test_auto_takes_what_there_is() -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device("auto").type == expected
    assert choose_device(" CPU ") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "cpu:7", "cuda:x", ""])
def test_device_that_is_not_there_lists_those_that_are(name: str) -> None:
    with pytest.raises(DeviceUnavailable, match="auto, cpu"):
        choose_device(name)
