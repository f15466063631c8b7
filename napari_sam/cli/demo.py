"""``napari-sam demo``: the whole job on a sample that comes with the package."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from napari_sam.cli.arguments import add_model_arguments, model_choice
from napari_sam.cli.console import cancel_on_interrupt, say, shown_progress

SAMPLE_NAMES = ("ct", "mr", "cells", "film")
"""As `napari_sam.nodes.samples.SAMPLES`, which is not loaded for this."""


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="run the whole job on a sample that comes with the package",
        description="Write a CT phantom, segment its liver from one box, and compare with the truth. With "
        "--sample, write an artificial image and its true labels, and do no more.",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("napari-sam-demo"),
        metavar="DIR",
        help="where to write (default ./napari-sam-demo)",
    )
    parser.add_argument(
        "--sample",
        choices=SAMPLE_NAMES,
        help="only write this sample of the tutorials: ct and mr as DICOM series, cells as OME-TIFF, "
        "film as WebP",
    )
    add_model_arguments(parser)
    parser.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Run the demonstration or write a sample, and say where everything is."""
    if given.sample is None:
        _run_demo(given)
    else:
        _write_sample(given)


def _write_sample(given: Namespace) -> None:
    from napari_sam.nodes.samples import write_sample

    done = write_sample(given.output, given.sample)
    meaning = ", ".join(f"{value} {name}" for value, name in done.names.items()) or "a number for each object"
    say(f"image: {done.image} (drawn by formulas)")
    say(f"truth: {done.truth} ({meaning})")


def _run_demo(given: Namespace) -> None:
    from napari_sam.cli.segment import describe_object
    from napari_sam.errors import Cancelled
    from napari_sam.nodes.demo import run_demo

    try:
        with cancel_on_interrupt() as cancel, shown_progress() as progress:
            done = run_demo(given.output, model_choice(given), progress=progress, cancel=cancel)
    except Cancelled as error:
        raise Cancelled("cancelled; the labels were not written") from error
    times = done.run.times
    box = ",".join(str(n) for n in (done.plane, *done.box_hw))
    say(f"image:   {done.image} (a phantom drawn by formulas)")
    say(f"prompt:  one box, --box {box}")
    say(f"found:   {describe_object(done.run.objects[0])}")
    say(f"Dice:    {done.dice:.3f} against {done.truth}")
    say(
        f"time:    {times.total_s:.1f} s (first mask after {times.first_mask_s:.2f} s, "
        f"all planes {times.propagate_s:.1f} s) on {done.run.model.device} with {done.run.model.name}"
    )
    say(f"labels:  {done.labels}")
    say(f"report:  {done.report}")
    say(f"picture: {done.preview}")
