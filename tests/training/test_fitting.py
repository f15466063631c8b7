"""Fitting: what is trained and what is not, and that a run in parts equals a run at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import napari_sam
from napari_sam.core.jobs import Cancel
from napari_sam.errors import (
    Cancelled,
    DeviceUnavailable,
    InvalidDataset,
    SettingsError,
    StoreError,
    UnsupportedPrompt,
)
from napari_sam.training.batches import collate
from napari_sam.training.fit_settings import FitSettings
from napari_sam.training.fitting import Fitter, judged
from napari_sam.training.samples import PlanePair
from napari_sam.training.train_on_folder import train_on_folder
from napari_sam.training.train_options import TrainOptions, resumed_options
from napari_sam.training.training_run import Told, TrainReport
from napari_sam.zoo.spec import ModelSpec
from tests.tiny_models import SIDE, build_conv_sam, build_vit_sam, random_sam, spec_of

CPU = torch.device("cpu")


def drawn(number: int) -> PlanePair:
    """Draw two bright squares on noise."""
    rng = np.random.default_rng(number)
    masks = np.zeros((2, 2, SIDE, SIDE), bool)
    for i in range(2):
        row, col = rng.integers(2, 40, 2)
        masks[:, i, row : row + 18, col : col + 14] = True
    pixels = masks.any(axis=1)[:, None] * 2.0 + rng.normal(size=(2, 3, SIDE, SIDE)) * 0.1
    return PlanePair(torch.from_numpy(pixels.astype(np.float32)), torch.from_numpy(masks))


def fitter(seed: int = 0, build: Any = build_conv_sam, **options: Any) -> Fitter:
    settings = FitSettings(**{"precision": "float32", "n_pairs": 1, "rate": 1e-3, "steps": 6, **options})
    return Fitter(random_sam(seed, build), settings, [collate([drawn(100)])], CPU)


def take(work: Fitter, n_steps: int) -> list[float]:
    n = work.settings.n_pairs * work.settings.accumulate
    return [work.take_step([drawn(work.step * n + i) for i in range(n)]) for _ in range(n_steps)]


def same_tensors(one: Path, other: Path) -> bool:
    ours, theirs = load_file(one), load_file(other)
    return ours.keys() == theirs.keys() and all(torch.equal(v, theirs[name]) for name, v in ours.items())


def weights(work: Fitter) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in work.model.state_dict().items()}


@pytest.mark.parametrize("build", [build_conv_sam, build_vit_sam])
@pytest.mark.parametrize("tune", ["all", "decoder", "adapters"])
def test_only_what_is_tuned_changes(tune: str, build: Any) -> None:
    work = fitter(build=build, tune=tune)
    before = weights(work)
    take(work, 2)
    changed = {name for name, value in weights(work).items() if not torch.equal(value, before[name])}
    assert any(name.startswith("mask_decoder.") for name in changed)
    if tune == "all":
        assert any(name.startswith("image_encoder.") for name in changed)
        assert not any("running" in name for name in changed)  # fine-tuning keeps batch statistics
    if tune == "decoder":
        assert not any(name.startswith("image_encoder.") for name in changed)
    if tune == "adapters":
        assert {name.rpartition(".")[2] for name in changed} == {"down", "up"}


def test_a_frozen_encoder_keeps_no_graph() -> None:
    work = fitter(tune="decoder")
    assert not work.model.encode(torch.randn(1, 3, SIDE, SIDE))["image_embedding"].requires_grad


def test_batch_statistics_are_learned_from_scratch() -> None:
    work = fitter(from_scratch=True)
    before = weights(work)
    take(work, 1)
    assert any("running" in name and not torch.equal(v, before[name]) for name, v in weights(work).items())


@pytest.mark.parametrize("tune", ["all", "adapters"])
def test_three_steps_and_three_more_equal_six(tune: str) -> None:
    whole, first = fitter(tune=tune), fitter(tune=tune)
    losses = take(whole, 6)
    torch.manual_seed(99)  # whatever else draws numbers in between does not count
    begun = take(first, 3)
    second = fitter(seed=0, tune=tune)
    second.restore(first.state())
    assert begun + take(second, 3) == losses
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(second)[name])
    assert all(torch.equal(v, second.plain_average()[name]) for name, v in whole.plain_average().items())
    assert whole.check() == second.check()


def test_training_fits_and_checking_leaves_everything_alone() -> None:
    work = fitter(steps=60, rate=3e-3)
    losses = take(work, 30)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    before, chance = weights(work), torch.random.get_rng_state()
    figures = work.check()
    assert {"box", "point", "point_3", "carried"} <= figures.keys()
    assert torch.equal(torch.random.get_rng_state(), chance)
    assert all(torch.equal(value, before[name]) for name, value in weights(work).items())


def test_accumulated_batches_make_one_step() -> None:
    work = fitter(accumulate=3)
    take(work, 1)
    assert work.step == 1


def test_a_loss_that_is_no_number_ends_the_run_before_the_weights_are_spoilt() -> None:
    work = fitter()
    pair = drawn(0)
    before = weights(work)
    with pytest.raises(SettingsError, match="--rate"):
        work.take_step([PlanePair(pair.pixels * float("nan"), pair.masks)])
    for name, value in weights(work).items():
        assert torch.equal(value, before[name])


def test_bf16_trains_too() -> None:
    work = fitter(precision="bf16")
    assert work.is_bf16
    assert all(np.isfinite(take(work, 2)))
    assert {value.dtype for value in work.plain_average().values() if value.is_floating_point()} == {
        torch.float32
    }


def test_the_rate_rises_and_falls() -> None:
    settings = FitSettings(steps=1000, rate=1.0)
    rates = [settings.rate_at(step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == max(rates[95:110])
    assert rates[-1] == pytest.approx(0.02, abs=0.001)


def test_checks_are_compared_by_what_is_known() -> None:
    assert judged({"box": 0.5, "point": 0.7, "carried": float("nan"), "score_error": 9.0}) == 0.6


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"tune": "head"}, "'head'"),
        ({"steps": 0}, "--steps"),
        ({"n_pairs": 0}, "--pairs"),
        ({"rank": -1}, "--rank"),
        ({"rate": float("nan")}, "--rate"),
        ({"seed": -1}, "--seed"),
        ({"precision": "fp8"}, "'fp8'"),
        ({"from_scratch": True, "tune": "decoder"}, "--from-scratch"),
    ],
)
def test_unusable_settings_are_refused(options: dict[str, Any], part: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(part)):
        FitSettings(**options)


class TestOnAFolder:
    """The whole way, from a folder to weights that a segmenter takes."""

    @pytest.fixture
    def options(self, tiny_zoo: ModelSpec, tiny_weights: Path) -> TrainOptions:
        return TrainOptions(
            model=tiny_zoo.name, weights=str(tiny_weights), steps=6, pairs=1, check_every=2, held_out=0.25,
            precision="float32", device="cpu", rate=1e-3, patience=0,
        )  # fmt: skip

    def train(self, folder: Path, run: Path, options: TrainOptions, **more: Any) -> TrainReport:
        return train_on_folder(folder, run, options, **more)

    def test_an_interrupted_run_ends_with_the_same_files(
        self, folder: Path, tmp_path: Path, options: TrainOptions
    ) -> None:
        done = self.train(folder, tmp_path / "whole", options)
        assert (done.ended, done.step) == ("steps", 6)
        cancel = Cancel()

        def progress(stage: str, n_done: int, n_total: int) -> None:
            if (stage, n_done) == ("train", 3):
                cancel.cancel()

        stopped = self.train(folder, tmp_path / "parts", options, told=Told(progress, cancel=cancel))
        assert (stopped.ended, stopped.step) == ("stopped", 3)
        again = self.train(folder, tmp_path / "parts", options, resume=True)
        assert (again.ended, again.best) == ("steps", done.best)
        for name in ("history.jsonl", "run.json"):
            assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
        assert same_tensors(done.weights, again.weights)
        ours, theirs = (
            torch.load(tmp_path / run / "state.pt", weights_only=True)["fitter"] for run in ("whole", "parts")
        )
        for part in ("model", "average"):
            assert all(torch.equal(value, theirs[part][name]) for name, value in ours[part].items())

    @pytest.mark.parametrize("tune", ["all", "decoder", "adapters"])
    def test_the_weights_load_at_once_and_say_what_they_are(
        self, tune: Any, folder: Path, tmp_path: Path, options: TrainOptions, tiny_zoo: ModelSpec
    ) -> None:
        done = self.train(
            folder, tmp_path / "run", TrainOptions(**{**options.record(), "tune": tune, "steps": 2})
        )
        segmenter = napari_sam.load_segmenter(tiny_zoo.name, "cpu", weights=done.weights)
        assert segmenter.name == tiny_zoo.name
        with safe_open(done.weights, "pt") as file:
            metadata = file.metadata()
        assert metadata["model"] == tiny_zoo.name
        assert metadata["base_licence"] == "Apache-2.0"
        assert (metadata["images"], metadata["subjects"]) == ("4", "4")
        assert not any("/" in value or "ann" in value for value in metadata.values())
        stored = {value.dtype for value in load_file(done.weights).values() if value.is_floating_point()}
        assert stored == {torch.float16}
        assert done.curves.read_bytes().startswith(b"\x89PNG")
        assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
            "best.safetensors", "curves.png", "history.jsonl", "run.json", "state.pt",
        ]  # fmt: skip

    def test_without_a_gain_it_ends_early_with_the_best(
        self, folder: Path, tmp_path: Path, options: TrainOptions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        figures = iter([0.2, 0.5, 0.4, 0.3, 0.9])
        monkeypatch.setattr(Fitter, "check", lambda self: {"box": next(figures)})
        shown: list[bool] = []
        lasting = TrainOptions(**{**options.record(), "steps": 50, "check_every": 1, "patience": 2})
        told = Told(check=lambda one, is_best: shown.append(is_best))
        done = self.train(folder, tmp_path / "run", lasting, told=told)
        assert (done.ended, done.step, done.best["step"]) == ("patience", 3, 1.0)
        assert shown == [True, True, False, False]
        assert self.train(folder, tmp_path / "run", lasting, resume=True).ended == "patience"

    def test_nothing_held_out_keeps_the_last(
        self, folder: Path, tmp_path: Path, options: TrainOptions
    ) -> None:
        done = self.train(
            folder, tmp_path / "run", TrainOptions(**{**options.record(), "held_out": 0.0, "steps": 2})
        )
        assert (done.ended, done.before, done.best) == ("steps", {}, {})
        assert done.weights.is_file()

    def test_from_scratch_needs_no_weights_and_the_seed_decides(
        self, folder: Path, tmp_path: Path, options: TrainOptions
    ) -> None:
        fresh = {**options.record(), "weights": None, "from_scratch": True, "steps": 1}
        runs = [
            self.train(folder, tmp_path / name, TrainOptions(**{**fresh, "seed": seed})).weights
            for name, seed in (("a", 1), ("b", 1), ("c", 2))
        ]
        assert same_tensors(runs[0], runs[1])
        assert not same_tensors(runs[0], runs[2])

    @pytest.mark.parametrize(
        ("change", "error", "part"),
        [
            ({"weights": "nowhere.pth"}, FileNotFoundError, "nowhere.pth"),
            ({"side": 100}, SettingsError, "multiple of 32"),
            ({"device": "tpu"}, DeviceUnavailable, "tpu"),
            ({"model": "no.such"}, KeyError, "no.such"),
        ],
    )
    def test_a_refusal_writes_nothing(
        self, change: Any, error: Any, part: str, folder: Path, tmp_path: Path, options: TrainOptions
    ) -> None:
        with pytest.raises(error, match=part):
            self.train(folder, tmp_path / "run", TrainOptions(**{**options.record(), **change}))
        assert not (tmp_path / "run").exists()

    def test_a_model_without_mask_prompts_is_refused(
        self, folder: Path, tmp_path: Path, options: TrainOptions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        poor = spec_of(prompts=frozenset({"point", "box"}))
        monkeypatch.setattr("napari_sam.zoo.get", lambda name: poor)
        with pytest.raises(UnsupportedPrompt, match="no mask prompts"):
            self.train(folder, tmp_path / "run", options)

    def test_a_run_is_never_overwritten(self, folder: Path, tmp_path: Path, options: TrainOptions) -> None:
        run = tmp_path / "run"
        run.mkdir()
        (run / "diary.txt").write_text("mine")
        with pytest.raises(StoreError, match="no empty folder"):
            self.train(folder, run, options)
        (run / "diary.txt").unlink()
        short = TrainOptions(**{**options.record(), "steps": 1})
        self.train(folder, run, short)
        before = (run / "state.pt").read_bytes()
        with pytest.raises(StoreError, match="--resume"):
            self.train(folder, run, short)
        assert (run / "state.pt").read_bytes() == before

    def test_other_data_or_a_broken_state_cannot_be_resumed(
        self, folder: Path, tmp_path: Path, options: TrainOptions
    ) -> None:
        run = tmp_path / "run"
        self.train(folder, run, TrainOptions(**{**options.record(), "steps": 1}))
        (run / "state.pt").write_bytes(b"rubbish")
        with pytest.raises(StoreError, match=r"state\.pt is broken"):
            self.train(folder, run, options, resume=True)
        for part in ("images", "labels"):
            (folder / part / "dot.png").unlink()
        with pytest.raises(StoreError, match="not those"):
            self.train(folder, run, options, resume=True)

    def test_one_subject_is_too_little(self, folder: Path, tmp_path: Path, options: TrainOptions) -> None:
        for path in [*folder.glob("*/*")]:
            if "ann" not in path.name:
                path.unlink()
        with pytest.raises(InvalidDataset, match="1 subject"):
            self.train(folder, tmp_path / "run", options)
        assert not (tmp_path / "run").exists()

    def test_stopping_while_reading_writes_nothing(
        self, folder: Path, tmp_path: Path, options: TrainOptions
    ) -> None:
        cancel = Cancel()
        cancel.cancel()
        with pytest.raises(Cancelled):
            self.train(folder, tmp_path / "run", options, told=Told(cancel=cancel))
        assert not (tmp_path / "run").exists()


def test_a_resumed_run_keeps_its_options_and_may_go_on_longer() -> None:
    begun = TrainOptions(rank=4, tune="adapters").record()
    assert resumed_options(begun, {"steps": 5000, "rank": 4}).steps == 5000
    with pytest.raises(SettingsError, match="--rank 4, not 8"):
        resumed_options(begun, {"rank": 8})
    with pytest.raises(SettingsError, match="'colour'"):
        resumed_options({**begun, "colour": 1}, {})


def test_no_file_is_unpickled_without_care(repository: Path) -> None:
    for path in (repository / "napari_sam").rglob("*.py"):
        for call in re.findall(r"torch\.load\([^)]*\)", path.read_text(encoding="utf-8")):
            assert "weights_only=True" in call, path
