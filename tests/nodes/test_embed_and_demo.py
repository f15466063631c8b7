from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import volumes
from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef
from napari_sam.core.window import Window
from napari_sam.errors import Cancelled, InvalidPrompt, UnknownModel
from napari_sam.nodes.demo import dice, run_demo
from napari_sam.nodes.embed import EmbedOptions, embed_volume
from napari_sam.nodes.models import describe_model, list_models
from napari_sam.nodes.phantom import make_phantom
from tests.fakes import FakeSegmenter
from volumes import Volume


def test_every_plane_is_asked_for_once(volume: Volume) -> None:
    fake, told = FakeSegmenter(), []
    done = embed_volume(
        volume,
        fake,
        EmbedOptions(axis=1, planes=(10, 14), window="0,500"),
        progress=lambda *step: told.append(step),
    )
    assert [plane for planes in fake.prefetched for plane in planes] == [
        PlaneRef(1, i) for i in range(10, 14)
    ]
    assert done.n_planes == 4
    assert done.window == Window(0, 500)
    assert told[-1] == ("encoding", 4, 4)


def test_a_range_must_fit(volume: Volume) -> None:
    with pytest.raises(InvalidPrompt, match="15 planes of axis 0"):
        embed_volume(volume, FakeSegmenter(), EmbedOptions(planes=(10, 20)))


def test_embedding_can_be_stopped(volume: Volume) -> None:
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(Cancelled):
        embed_volume(volume, FakeSegmenter(), cancel=cancel)


def test_models_are_described_without_being_loaded() -> None:
    models = list_models()
    assert [model.name for model in models if model.is_default] == ["tiny_sam.v6"]
    published = describe_model("sam_vit_b.meta")
    assert published.n_bytes == 375_042_383
    assert not published.is_here
    assert published.weights.name == "sam_vit_b_01ec64.pth"
    with pytest.raises(UnknownModel, match="sam_vit_b.meta"):
        describe_model("sam_vit_b")


def test_dice() -> None:
    a, b = np.zeros(10, bool), np.zeros(10, bool)
    assert dice(a, b) == 1.0
    a[:4], b[2:6] = True, True
    assert dice(a, b) == 0.5


def test_the_demo_does_the_whole_job(
    tmp_path: Path, segmenter: FakeSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, truth = make_phantom()
    told_truth = FakeSegmenter(np.where(truth == 1, 1, 0))
    monkeypatch.setattr("napari_sam.nodes.segment_file.load_model", lambda choice: told_truth)
    done = run_demo(tmp_path / "demo")
    assert done.dice > 0.9
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {
        "phantom.nii.gz", "truth.nii.gz", "labels.nii.gz", "preview.png", "report.json"
    }  # fmt: skip
    assert np.array_equal(volumes.read(done.truth).data, truth)
    image = volumes.read(done.image)
    assert image.geometry.is_close(make_phantom()[0].geometry)
    assert done.run.window == Window(-160, 240)
    assert done.run.objects[0].name == "liver"
