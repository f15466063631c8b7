"""A run under way: steps, checks, early stopping, and everything saved so that it can go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from napari_sam.core.jobs import Cancel
from napari_sam.training.ahead import drawn_ahead
from napari_sam.training.fitting import Fitter, judged
from napari_sam.training.run_folder import RunFolder
from napari_sam.training.user_pairs import UserPairs

__all__ = ["Ended", "Told", "TrainReport", "TrainingRun"]

Ended = Literal["steps", "patience", "stopped"]
Figures = dict[str, float]

_SAVE_EVERY_S = 120.0
_GAIN = 1e-4


@dataclass(frozen=True)
class Told:
    """Who is told how it goes.

    Attributes
    ----------
    progress : callable
        Given what is being done, how many parts are done, and how many there are.
    check : callable
        Given the figures of a check, and whether they are the best so far.
    cancel : Cancel
        Looked at between steps.
    """

    progress: Callable[[str, int, int], None] = lambda stage, n_done, n_total: None
    check: Callable[[Figures, bool], None] = lambda figures, is_best: None
    cancel: Cancel = field(default_factory=Cancel)


@dataclass(frozen=True)
class TrainReport:
    """How a run ended.

    Attributes
    ----------
    ended : str
        ``"steps"``: all done; ``"patience"``: no gain any more; ``"stopped"``: on request, to be resumed.
    step : int
        Steps done.
    model : str
        Name of the model that the weights belong to.
    weights : Path
        The best averaged weights.
    curves : Path
        The picture of the curves.
    before, best : dict of str to float
        Held-out figures of the start and of the best check; empty without held-out data.
    """

    ended: Ended
    step: int
    model: str
    weights: Path
    curves: Path
    before: Figures
    best: Figures


class TrainingRun:
    """A run under way: its figures, and when it is checked, saved and over.

    Parameters
    ----------
    fitter : Fitter
        The model.
    pairs : UserPairs
        What it is trained on.
    folder : RunFolder
        Where everything is kept.
    record : mapping
        What ``run.json`` holds; its ``metadata`` goes into the file of weights.
    told : Told
        Who is told how it goes.
    """

    def __init__(
        self, fitter: Fitter, pairs: UserPairs, folder: RunFolder, record: Mapping[str, Any], told: Told
    ) -> None:
        self._fitter, self._pairs, self._folder, self._told = fitter, pairs, folder, told
        self._record = record
        self._history: list[Figures] = []
        self._best_at = 0
        self._losses: list[float] = []

    def begin(self, resume: bool) -> None:
        """Make the folder and check the start, or read how far it had come."""
        state = self._folder.load_state(self._fitter.device) if resume else None
        if state is not None:
            self._fitter.restore(state["fitter"])
            self._history, self._best_at = state["history"], state["best_at"]
            self._losses = state["losses"]
        if not resume:
            self._folder.start(self._record)
        if state is None:
            self._check()

    def finish(self, model: str) -> TrainReport:
        """Take steps until the end, or until told to stop."""
        fitter, settings = self._fitter, self._fitter.settings
        per_step = settings.n_pairs * settings.accumulate
        saved_s = time.monotonic()
        with closing(drawn_ahead(self._pairs.draw, fitter.step * per_step, n_ahead=2 * per_step)) as stream:
            while fitter.step < settings.steps and not self._is_out_of_patience:
                if self._told.cancel.requested:
                    self._save()
                    return self._report("stopped", model)
                self._losses.append(fitter.take_step([next(stream) for _ in range(per_step)]))
                if fitter.step % settings.check_every == 0 or fitter.step == settings.steps:
                    self._check()
                    saved_s = time.monotonic()
                elif time.monotonic() - saved_s > _SAVE_EVERY_S:
                    self._save()
                    saved_s = time.monotonic()
                self._told.progress("train", fitter.step, settings.steps)
        return self._report("steps" if fitter.step >= settings.steps else "patience", model)

    @property
    def _is_out_of_patience(self) -> bool:
        patience = self._fitter.settings.patience
        return bool(patience and self._best and len(self._history) - 1 - self._best_at >= patience)

    @property
    def _best(self) -> Figures:
        """Figures of the best check; empty where nothing is held out."""
        return self._history[self._best_at] if self._fitter.has_checks else {}

    def _check(self) -> None:
        """Measure, keep the weights if they are the best, and save."""
        fitter = self._fitter
        figures: Figures = {"step": float(fitter.step)}
        if self._losses:
            figures["loss"] = sum(self._losses) / len(self._losses)
        figures |= fitter.check()
        is_best = not self._history or not fitter.has_checks or judged(figures) > judged(self._best) + _GAIN
        self._history.append(figures)
        self._losses = []
        if is_best:
            self._best_at = len(self._history) - 1
            metadata = {**self._record["metadata"], "steps": str(fitter.step)}
            self._folder.save_weights(fitter.plain_average(), metadata)
        self._folder.save_history(self._history)
        self._save()
        self._told.check(figures, is_best)

    def _save(self) -> None:
        self._folder.save_state(
            {
                "fitter": self._fitter.state(),
                "history": self._history,
                "best_at": self._best_at,
                "losses": self._losses,
            }
        )

    def _report(self, ended: Ended, model: str) -> TrainReport:
        folder, history = self._folder, self._history
        before = history[0] if self._fitter.has_checks else {}
        return TrainReport(ended, self._fitter.step, model, folder.weights, folder.curves, before, self._best)
