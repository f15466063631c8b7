"""From a folder of labelled images to a file of weights: the whole of ``napari-sam train``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_sam import zoo
from napari_sam.core.labelled_folder import list_labelled
from napari_sam.engine.device import choose_device
from napari_sam.errors import SettingsError, StoreError, UnsupportedPrompt
from napari_sam.models.image_encoder import ImageEncoder
from napari_sam.models.sam import Sam
from napari_sam.models.tiny_vit import TinyVit
from napari_sam.settings import Settings
from napari_sam.training.batches import Batch, collate
from napari_sam.training.fitting import Fitter
from napari_sam.training.run_folder import RunFolder
from napari_sam.training.seeds import seeded
from napari_sam.training.train_options import TrainOptions
from napari_sam.training.training_run import Told, TrainingRun, TrainReport
from napari_sam.training.user_data import LabelledPlanes, data_digest, prepare, split_by_subject
from napari_sam.training.user_pairs import PairSettings, UserPairs
from napari_sam.zoo.spec import ModelSpec
from napari_sam.zoo.weights import find_weights, load_model

__all__ = ["train_on_folder"]

N_CHECK_PAIRS = 24
"""Held-out plane pairs that a check looks at."""

_OUT_OF_MEMORY = ("out of memory", "not enough memory", "allocate memory")
"""How torch says so, by device."""


def train_on_folder(
    data: Path, run: Path, options: TrainOptions, resume: bool = False, told: Told | None = None
) -> TrainReport:
    """Train or fine-tune a model on a folder of labelled images.

    Parameters
    ----------
    data : Path
        As in `napari_sam.core.labelled_folder`.
    run : Path
        Folder of the run; new or empty, unless a run is resumed.
    options : TrainOptions
        What to train, and how.
    resume : bool
        Whether to go on with the run in that folder.
    told : Told, optional
        Who is told how it goes.

    Raises
    ------
    SamError, VolumeError
        Options, data, weights or a folder that cannot be used; then nothing was written.
    """
    told = told or Told()
    folder = RunFolder(run)
    if not resume:
        folder.check_free()
    fit = options.fit_settings()
    items = list_labelled(data)
    spec = zoo.get(Settings.resolve().model if options.model == "default" else options.model)
    device = choose_device(Settings.resolve().device if options.device == "auto" else options.device)
    model, base_sha256 = _starting_model(spec, options)
    side = _side(spec, model, options.side)
    with tempfile.TemporaryDirectory(prefix="napari-sam-train-", ignore_cleanup_errors=True) as place:

        def told_read(n_done: int) -> None:
            told.cancel.check()
            told.progress("read", n_done, len(items))

        ready = prepare(items, Path(place), options.window, options.axes, told_read)
        train, held_out = split_by_subject(ready, options.held_out, fit.seed)
        shape = PairSettings(side, options.objects, mean=spec.mean, std=spec.std)
        pairs = UserPairs(train, shape, fit.seed)
        pairs.draw(0)  # says at once if there is nothing to draw
        record = _record(spec, base_sha256, ready, options)
        if resume:
            _check_same(folder, record)
        with _explained_memory():
            fitter = Fitter(model, fit, _held_out_batches(held_out, shape, fit.n_pairs, fit.seed), device)
            work = TrainingRun(fitter, pairs, folder, record, told)
            work.begin(resume)
            return work.finish(spec.name)


def _starting_model(spec: ModelSpec, options: TrainOptions) -> tuple[Sam, str]:
    """Load or build the model; also the digest of its weights, empty for fresh numbers."""
    needed = {"point", "box", "mask"}
    if not needed <= spec.prompts:
        raise UnsupportedPrompt(
            f"{spec.name} takes no {' and no '.join(sorted(needed - spec.prompts))} prompts, which training "
            "uses; choose another --model"
        )
    if options.from_scratch:
        with seeded(options.seed):
            return spec.build(), ""
    given = None if options.weights is None else Path(options.weights)
    model, loaded = load_model(spec, find_weights(spec, given, Settings.resolve().cache_dir))
    return model, loaded.sha256


def _side(spec: ModelSpec, model: Sam, asked: int | None) -> int:
    """Settle the side of the input in pixels."""
    side = asked or spec.side
    if isinstance(model.image_encoder, ImageEncoder | TinyVit) and side != model.image_encoder.shape.side:
        fixed = model.image_encoder.shape.side
        raise SettingsError(f"--side {side} does not fit {spec.name}, whose side is {fixed}; leave it out")
    if side % 32 or side < 32:
        raise SettingsError(f"--side {side} is no multiple of 32; try {max(32, 32 * round(side / 32))}")
    return side


def _held_out_batches(
    items: Sequence[LabelledPlanes], shape: PairSettings, n_pairs: int, seed: int
) -> list[Batch]:
    if not items:
        return []
    pairs = UserPairs(items, shape, seed)
    drawn = [pairs.draw_plain(number) for number in range(N_CHECK_PAIRS)]
    return [collate(drawn[start : start + n_pairs]) for start in range(0, len(drawn), n_pairs)]


def _record(
    spec: ModelSpec, base_sha256: str, ready: Sequence[LabelledPlanes], options: TrainOptions
) -> dict[str, Any]:
    """Give what ``run.json`` holds: options, digests, and what the file of weights says of itself."""
    metadata = {
        "model": spec.name,
        "base_sha256": base_sha256 or "from scratch",
        "base_licence": "" if options.from_scratch else spec.weights.licence,
        "tuned": options.tune,
        "images": str(len(ready)),
        "subjects": str(len({item.subject for item in ready})),
    }
    return {"options": options.record(), "data_sha256": data_digest(ready), "metadata": metadata}


def _check_same(folder: RunFolder, record: Mapping[str, Any]) -> None:
    """Check that a run goes on with the data and the starting weights that it was begun with."""
    begun = folder.record()
    if begun.get("data_sha256") != record["data_sha256"]:
        raise StoreError(
            f"the labelled images are not those that the run in {folder.path} was begun with; restore them, "
            "or begin anew with another --out"
        )
    if begun.get("metadata") != record["metadata"]:
        raise StoreError(
            f"the model's starting weights are not those that the run in {folder.path} was begun with; "
            "restore them, or begin anew with another --out"
        )


@contextmanager
def _explained_memory() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not any(sign in str(error).lower() for sign in _OUT_OF_MEMORY):
            raise
        raise SettingsError(
            "the model does not fit into memory while training; try --pairs 1 with --accumulate, "
            "--tune decoder, or a smaller --side"
        ) from error
