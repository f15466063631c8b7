"""``napari-sam clean``: fill holes, drop islands, smooth, grow and shrink labels, in millimetres."""

from __future__ import annotations

import argparse
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_sam.cli.arguments import UsageError, add_image_argument, chosen_image, image_place
from napari_sam.cli.console import say, shown_progress

_DESCRIPTION = """\
Clean labels up, object by object, in the order in which the steps are given:

  napari-sam clean organs.nii.gz -o clean.nii.gz --fill-holes --islands 50 --smooth 1 --objects 1,3

Sizes are millimetres of the image, whatever the spacing. Objects never take voxels from each other.
"""


class _Step(argparse.Action):
    """Adds a step to those given before it; a step may be given again."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Take one."""
        kind = (option_string or "").lstrip("-").replace("-", " ")
        namespace.steps = [*(namespace.steps or ()), (kind, None if values == [] else values)]


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "clean",
        help="clean labels up: holes, islands, outlines, in mm",
        description=_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_image_argument(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="what to write")
    parser.add_argument(
        "--image",
        dest="like",
        type=image_place,
        metavar="INPUT",
        help="the image of the labels: for --range and DICOM",
    )
    parser.add_argument("--objects", type=_ids, metavar="1,3", help="only these labels (default: all)")
    _add_steps(parser)
    parser.set_defaults(run=run, steps=None)


def run(given: Namespace) -> None:
    """Clean, and say what became of each object."""
    from napari_sam.core.clean_steps import CleanStep
    from napari_sam.nodes.clean import CleanJob, clean_file
    from napari_sam.nodes.image_input import ImageInput

    if not given.steps:
        raise UsageError("no clean-up is asked for; give at least one, such as --fill-holes or --islands 50")
    steps = []
    for kind, value in given.steps:
        low, high = value if kind == "range" else (float("-inf"), float("inf"))
        steps.append(CleanStep(kind, None if kind == "range" else value, low=low, high=high))
    like = None if given.like is None else ImageInput(given.like)
    labels = chosen_image(given, given.image)
    with shown_progress() as progress:
        done = clean_file(
            CleanJob(labels, given.output, tuple(steps), like, given.objects), progress=progress
        )
    for one in done.objects:
        say(f"{one.id} {one.name}: {one.voxels_before} → {one.voxels_after} voxels, {one.volume_ml:.4g} ml")
    say(f"labels: {given.output}")
    for note in done.notes:
        say(f"note: {note}")


def _add_steps(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("steps, done in the order given")
    sized: dict[str, Any] = {"action": _Step, "dest": "steps", "type": float}
    group.add_argument("--fill-holes", nargs="?", metavar="MM3", help="enclosed holes, up to a size", **sized)
    group.add_argument("--islands", metavar="MM3", help="drop pieces that are smaller", **sized)
    group.add_argument(
        "--largest", action=_Step, dest="steps", nargs=0, help="keep the largest piece of each object"
    )
    group.add_argument("--smooth", metavar="MM", help="round off, keeping the volume", **sized)
    group.add_argument("--grow", metavar="MM", help="add what is no farther than that", **sized)
    group.add_argument("--shrink", metavar="MM", help="take away what is no farther from outside", **sized)
    group.add_argument(
        "--range", action=_Step, dest="steps", type=_range, metavar="LO:HI", help="keep these grey values"
    )
    group.add_argument(
        "--close-gaps", nargs="?", metavar="MM", help="planes left out between two others", **sized
    )


def _ids(text: str) -> tuple[int, ...]:
    try:
        ids = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of labels; give numbers, such as 1,3"
        ) from None
    if min(ids) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} holds a label below 1; 0 is the background")
    return ids


def _range(text: str) -> Sequence[float]:
    low, colon, high = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return float(low or "-inf"), float(high or "inf")
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no range of grey values; give LO:HI, such as -100:200"
        ) from None
