"""What the network that draws answers anew is trained on, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam import load_segmenter
from napari_sam.models.refiner import CROP_SIDE, MOST_CLICKS, NOWHERE, Refiner
from napari_sam.training.mending_sessions import play_mending
from napari_sam.training.refiner_pictures import COLOURED, as_picture, as_shown
from napari_sam.training.refiner_samples import STEPS, RefinerSamples, roughen
from napari_sam.training.refiner_sessions import WatchedSegmenter, play_sessions
from napari_sam.training.samples import PairSampler, SampleSettings
from napari_sam.training.train_refiner import draw_samples, main, refiner_loss
from napari_sam.zoo.builtin import PIXEL_MEAN, PIXEL_STD
from napari_sam.zoo.refiner import load_refiner

MIDDLES = (torch.arange(CROP_SIDE) + 0.5) / CROP_SIDE - 0.5


@pytest.fixture(scope="module")
def segmenter() -> WatchedSegmenter:
    """The default model, watched."""
    return WatchedSegmenter(load_segmenter("default", "cpu"))


@pytest.fixture(scope="module")
def samples(segmenter: WatchedSegmenter) -> RefinerSamples:
    """Some, with boxes and with clicks."""
    sampler = PairSampler(SampleSettings(side=128, n_objects=4, min_area=40, real_share=0.0), [])
    return draw_samples(segmenter, sampler, 60, seed=3)


def inside_of(samples: RefinerSamples) -> torch.Tensor:
    """Give the true masks, ``(N, 64, 64)``."""
    return samples.truth[:, 0] > 127


def n_clicks_of(samples: RefinerSamples) -> torch.Tensor:
    """Count the clicks of each."""
    return (samples.clicks[..., 2] != 0).sum(dim=1)


def test_boxes_and_clicks_are_among_them(samples: RefinerSamples) -> None:
    side = (CROP_SIDE, CROP_SIDE)
    assert len(samples) >= 60
    assert samples.picture.shape[1:] == samples.candidates.shape[1:] == (3, *side)
    assert samples.before.shape[1:] == samples.truth.shape[1:] == (1, *side)
    assert samples.picture.dtype == samples.truth.dtype == torch.uint8
    n_clicks, is_boxed = n_clicks_of(samples), samples.box[:, 0] != NOWHERE
    assert set(n_clicks.tolist()) >= {0, 1, 2, 3}
    assert is_boxed[n_clicks == 0].all()
    assert (~is_boxed[n_clicks == 1]).any()
    has_mask = samples.before.flatten(1).any(dim=1)
    assert not has_mask[n_clicks == 0].any()
    assert has_mask[n_clicks > 1].all()


def test_the_truth_lies_where_boxes_and_clicks_say(samples: RefinerSamples) -> None:
    assert (samples.truth > 127).flatten(1).any(dim=1).float().mean() > 0.9
    for box, truth in zip(samples.box, inside_of(samples), strict=True):
        if box[0] != NOWHERE and truth.any():
            rows, cols = (MIDDLES[truth.any(dim=axis)] for axis in (1, 0))
            found = torch.stack([cols[0], rows[0], cols[-1], rows[-1]])
            assert (found - box).abs().max() < 0.25
    agree = _clicks_agree(samples)
    assert agree.float().mean() > 0.85


def _clicks_agree(samples: RefinerSamples) -> torch.Tensor:
    """Say of each newest click that lies in its picture whether it is right about the truth."""
    said = []
    for clicks, truth in zip(samples.clicks, inside_of(samples), strict=True):
        for x, y, meant in clicks[clicks[:, 2] != 0]:
            row, col = int((y + 0.5) * CROP_SIDE), int((x + 0.5) * CROP_SIDE)
            said.append(bool(truth[row, col]) == (meant > 0))
    return torch.tensor(said)


def test_they_are_read_as_they_were_written(samples: RefinerSamples, tmp_path: Path) -> None:
    samples.write(tmp_path / "some.npz")
    again = RefinerSamples.read(tmp_path / "some.npz")
    assert torch.equal(again.picture, samples.picture)
    assert torch.equal(again.scores, samples.scores)
    assert [one.name for one in tmp_path.iterdir()] == ["some.npz"]


def test_boxes_clicks_and_masks_are_turned_with_their_pictures(samples: RefinerSamples) -> None:
    torch.manual_seed(1)
    is_boxed = samples.box[:, 0] != NOWHERE
    agree = _clicks_agree(samples)
    for _ in range(6):
        seen, truth = roughen(samples)
        assert seen.picture.shape == seen.candidates.shape == samples.picture.shape
        turned = replace(samples, box=seen.box, clicks=seen.clicks, truth=(255 * truth).to(torch.uint8))
        assert torch.equal(inside_of(turned).flatten(1).sum(1), inside_of(samples).flatten(1).sum(1))
        assert (_clicks_agree(turned) != agree).float().mean() < 0.05, "but for clicks on an outline"
        assert torch.equal(seen.box[:, 0] != NOWHERE, is_boxed)
        assert (seen.box[is_boxed, 2:] > seen.box[is_boxed, :2]).all()
        first = int(is_boxed.nonzero()[0])
        before, after = (_off(one.box[first], inside_of(one)[first]) for one in (samples, turned))
        assert sorted(before) == pytest.approx(sorted(after), abs=1e-4)


def _off(box: torch.Tensor, truth: torch.Tensor) -> list[float]:
    """Say how far each edge of an object lies within its box."""
    rows, cols = (MIDDLES[truth.any(dim=axis)] for axis in (1, 0))
    found = torch.stack([cols[0], rows[0], -cols[-1], -rows[-1]])
    return (found - torch.cat([box[:2], -box[2:]])).tolist()


def test_small_objects_are_seen_in_windows_too(segmenter: WatchedSegmenter) -> None:
    rows, cols = np.ogrid[:256, :256]
    truth = np.hypot(rows - 100, cols - 150) < 9
    picture = np.where(truth, 200, 60).astype(np.uint8)
    parts = play_sessions(segmenter, picture, [truth], np.random.default_rng(0))
    kept = RefinerSamples.of_all(parts)
    assert (n_clicks_of(kept) == 1).sum() == 2, "the whole plane and a closer look"
    found = kept.candidates[:, 0] > 0
    true = inside_of(kept)
    iou = (found & true).flatten(1).sum(1) / (found | true).flatten(1).sum(1)
    assert (iou > 0.8).all()
    assert kept.beyond.max() < 40, "all of it but for what is rounded"
    assert segmenter.take() == []


def test_what_lies_outside_the_picture_is_counted(segmenter: WatchedSegmenter) -> None:
    rows, cols = np.ogrid[:128, :128]
    square = (abs(rows - 40) < 12) & (abs(cols - 40) < 12)
    truth = square | ((abs(rows - 110) < 12) & (abs(cols - 110) < 12))
    picture = np.where(square, 220, 60).astype(np.uint8)  # the other half of the object is not to be seen
    kept = RefinerSamples.of_all(play_sessions(segmenter, picture, [truth], np.random.default_rng(6)))
    first = int((n_clicks_of(kept) == 1).nonzero()[0])
    inside = float(kept.truth[first].float().sum()) / 255
    assert kept.beyond[first] == pytest.approx(inside, rel=0.15)


def test_carried_masks_are_mended(segmenter: WatchedSegmenter) -> None:
    rows, cols = np.ogrid[:128, :128]
    truths = np.stack([np.hypot(rows - 60, cols - 60) < 24, np.hypot(rows - 60, (cols - 68) / 1.3) < 24])
    rng = np.random.default_rng(4)
    pictures = np.where(truths, 130, 105) + 12 * rng.standard_normal(truths.shape)
    parts = play_mending(segmenter, pictures.clip(0, 255).astype(np.uint8), [truths] * 3, rng)
    kept = RefinerSamples.of_all(parts)
    assert (n_clicks_of(kept) > 0).all(), "boxes that came before are not among them"
    assert (kept.box[:, 0] != NOWHERE).all(), "around the mask and the clicks"
    first = n_clicks_of(kept) == 1
    true, before = inside_of(kept)[first], kept.before[first, 0] > 0
    iou = (before & true).flatten(1).sum(1) / (before | true).flatten(1).sum(1)
    assert ((iou > 0.2) & (iou < 1)).all(), "the mask that was carried"
    gone = np.stack([truths[0], np.zeros_like(truths[1])])
    assert play_mending(segmenter, pictures.astype(np.uint8), [gone], rng) == []


def test_a_picture_comes_back_from_a_models_input() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (3, 8, 8)).astype(np.uint8)
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (PIXEL_MEAN, PIXEL_STD))
    for picture in (levels, levels[:1].repeat(3, axis=0)):
        back = as_picture((torch.from_numpy(picture).float() - mean) / std)
        assert np.array_equal(back, picture[0] if back.ndim == 2 else picture.transpose(1, 2, 0))
        assert (back.ndim == 2) == bool((picture == picture[0]).all())


def test_boxes_alone_are_asked_once_each(segmenter: WatchedSegmenter) -> None:
    sampler = PairSampler(SampleSettings(side=128, n_objects=4, min_area=40, real_share=0.0), [])
    kept = draw_samples(segmenter, sampler, 20, seed=5, boxes_alone=True)
    assert (n_clicks_of(kept) == 0).all()
    assert (kept.box[:, 0] != NOWHERE).all()
    assert not kept.before.any()
    truth = np.zeros((96, 96), np.bool_)
    truth[20:70, 30:80] = True
    picture = np.where(truth, 150, 60).astype(np.uint8)
    rng = np.random.default_rng(0)
    parts = play_sessions(segmenter, picture, [truth, ~truth], rng, boxes_alone=True)
    assert sum(map(len, parts)) == 2


def test_pictures_are_shown_in_many_ways() -> None:
    rng = np.random.default_rng(6)
    picture = np.random.default_rng(1).integers(30, 200, (40, 50)).astype(np.uint8)
    shown = [as_shown(picture, rng) for _ in range(300)]
    assert {one.dtype for one in shown} == {np.dtype(np.uint8)}
    coloured = [one for one in shown if one.ndim == 3]
    assert len(coloured) / 300 == pytest.approx(COLOURED, abs=0.07)
    assert all(one.shape == (40, 50, 3) for one in coloured)
    assert sum(np.array_equal(one, picture) for one in shown) > 60
    assert sum(one.min() == 0 and one.max() == 255 for one in shown) > 30, "in windows"
    order = picture.ravel().argsort()
    for one in shown:
        grey = one.ravel() if one.ndim == 2 else one.astype(int).sum(axis=2).ravel()
        steps = np.diff(grey[order].astype(int))
        assert (steps >= 0).all() or (steps <= 0).all(), "what was brighter stays so, or becomes darker"
    colours = np.repeat(picture[..., None], 3, axis=2)
    assert all(as_shown(colours, rng).shape == (40, 50, 3) for _ in range(20))
    flat = np.full((9, 9), 77, np.uint8)
    assert all(np.ptp(as_shown(flat, rng).reshape(81, -1), axis=0).max() == 0 for _ in range(20))


def test_logits_are_kept_in_steps(samples: RefinerSamples) -> None:
    torch.manual_seed(0)
    seen, _ = roughen(samples)
    assert seen.candidates.abs().max() <= samples.candidates.abs().max() / STEPS
    assert samples.clicks.shape[1:] == (MOST_CLICKS, 3)


def test_a_network_learns_from_them(samples: RefinerSamples) -> None:
    torch.manual_seed(2)
    network, some = Refiner(), samples.some(torch.randperm(len(samples))[:48])
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(25):
        loss = refiner_loss(network, some)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


@pytest.mark.parametrize(("kind", "how"), [("click", []), ("box", ["--boxes-alone"])])
def test_what_was_trained_can_be_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, how: list[str]
) -> None:
    network = Refiner(sees_clicks=kind == "click").to(memory_format=torch.channels_last)
    torch.save(network.state_dict(), tmp_path / f"{kind}_refiner.pt")
    exporting = ["--folder", str(tmp_path), "--export", str(tmp_path / "it.safetensors")]
    main([*exporting, *how])
    found = load_refiner(tmp_path / "it.safetensors", sees_clicks=kind == "click")
    assert found.drawing.weight.abs().max() == 0
    with pytest.raises(SystemExit):
        main([*exporting, *({"click": ["--boxes-alone"], "box": []}[kind])])
    assert "train first" in capsys.readouterr().err
