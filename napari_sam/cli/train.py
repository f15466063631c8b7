"""``napari-sam train``: train or fine-tune a model on one's own labelled images."""

from __future__ import annotations

import shlex
from argparse import Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam.cli.arguments import add_model_arguments
from napari_sam.cli.console import ProgressBar, cancel_on_interrupt, say, shown_progress, tell

if TYPE_CHECKING:
    from napari_sam.training.train_options import TrainOptions
    from napari_sam.training.training_run import TrainReport

_DESCRIPTION = """\
Train or fine-tune a model on a folder of images with label volumes.

FOLDER holds an INDEX.tsv, or images/ and labels/ with files of the same names, or files NAME.ext beside
NAME_seg.ext. Some subjects are held out, to see whether training helps; the best weights on them are kept in
RUN/best.safetensors, for --weights. Ctrl-C saves and stops; the same command with --resume goes on.
"""

_FIGURES = ("box", "point", "point_3", "carried")


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "train",
        help="train or fine-tune a model on your own labelled images",
        description=_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="images and labels")
    parser.add_argument("--out", required=True, metavar="RUN", type=Path, help="a new folder for the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    _add_what(parser)
    _add_how(parser)
    parser.set_defaults(run=run)


def _add_what(parser: Any) -> None:
    group = parser.add_argument_group("what is trained")
    add_model_arguments(group, to_run=False)
    group.add_argument(
        "--from-scratch",
        action="store_true",
        default=None,
        help="begin with random numbers, not with weights",
    )
    group.add_argument(
        "--tune",
        choices=("all", "decoder", "adapters"),
        help="the whole model, all but its image encoder, or low-rank adapters (default all)",
    )
    group.add_argument("--rank", type=int, metavar="N", help="rank of the adapters (default 8)")
    group.add_argument("--alpha", type=float, metavar="X", help="weight of the adapters (default 16)")


def _add_how(parser: Any) -> None:
    group = parser.add_argument_group("how")
    add = group.add_argument
    add("--steps", type=int, metavar="N", help="steps of the optimiser (default 1000)")
    add("--rate", type=float, metavar="X", help="learning rate (default 1e-4, adapters 3e-4)")
    add("--pairs", type=int, metavar="N", help="plane pairs at once (default 2); 1 needs least memory")
    add("--accumulate", type=int, metavar="N", help="such batches in one step (default 1)")
    add("--objects", type=int, metavar="N", help="objects of a pair at most (default 6)")
    add("--side", type=int, metavar="PIXELS", help="side of the model's input (default: the model's own)")
    add("--seed", type=int, metavar="N", help="of all that chance decides (default 0)")
    add("--held-out", type=float, metavar="PART", help="part of the subjects to check on (default 0.1)")
    add(
        "--patience", type=int, metavar="N", help="checks without a gain before the end (default 5; 0: never)"
    )
    add("--check-every", type=int, metavar="N", help="steps between checks (default 100)")
    add("--precision", choices=("auto", "bf16", "float32"), help="of the sums (default auto)")
    add("--axes", choices=("acquisition", "all"), help="axes that planes cut across (default acquisition)")
    add("--window", metavar="PRESET|LO,HI", help="intensities that the model sees (default auto)")


def run(given: Namespace) -> None:
    """Train, and say where the weights are and how to use them."""
    from napari_sam.errors import Cancelled
    from napari_sam.training.train_on_folder import train_on_folder
    from napari_sam.training.training_run import Told

    options = _options(given)
    on_again = (
        f"napari-sam train {shlex.quote(str(given.folder))} --out {shlex.quote(str(given.out))} --resume"
    )
    try:
        with cancel_on_interrupt() as cancel, shown_progress() as progress:
            told = Told(progress, lambda figures, is_best: _tell(progress, figures, is_best), cancel)
            report = train_on_folder(given.folder, given.out, options, given.resume, told)
    except Cancelled as error:
        raise Cancelled("cancelled while reading; nothing was written") from error
    if report.ended == "stopped":
        raise Cancelled(f"stopped after step {report.step}, which is saved; go on with: {on_again}")
    _say(report)


def _options(given: Namespace) -> TrainOptions:
    """Settle the options, of which only those that were typed are not None."""
    from dataclasses import fields

    from napari_sam.training.run_folder import RunFolder
    from napari_sam.training.train_options import TrainOptions, resumed_options

    asked = {
        one.name: getattr(given, one.name)
        for one in fields(TrainOptions)
        if getattr(given, one.name) is not None
    }
    if "weights" in asked:
        asked["weights"] = str(given.weights.absolute())
    if given.resume:
        return resumed_options(RunFolder(given.out).record().get("options", {}), asked)
    return TrainOptions(**asked)


def _tell(progress: ProgressBar, figures: dict[str, float], is_best: bool) -> None:
    progress.close()
    shown = [f"step {figures['step']:.0f}"]
    shown += [f"loss {figures['loss']:.3f}"] if "loss" in figures else []
    shown += [f"{name} {figures[name]:.3f}" for name in _FIGURES if name in figures]
    tell(", ".join(shown) + (" (best)" if is_best and "box" in figures else ""))


def _say(report: TrainReport) -> None:
    ends = {"steps": "all steps done", "patience": "no gain any more, so ended early"}
    say(f"steps:   {report.step} ({ends[report.ended]})")
    if report.best:
        changes = [
            f"{name} {report.before[name]:.3f} -> {report.best[name]:.3f}"
            for name in _FIGURES
            if name in report.best and name in report.before
        ]
        say(f"held out, mean IoU: {', '.join(changes)}")
        if report.best["step"] == 0:
            say("note: nothing was better than the start; the weights are those that it began with")
    say(f"curves:  {report.curves}")
    say(f"weights: {report.weights}")
    say(
        f"use:     napari-sam segment IMAGE -o LABELS.nii.gz --point Z,Y,X --model {report.model} "
        f"--weights {shlex.quote(str(report.weights))}"
    )
