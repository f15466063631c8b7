"""``napari-sam convert``: from one format to another."""

from __future__ import annotations

from argparse import Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from napari_sam.cli.arguments import add_image_argument, chosen_image, image_place
from napari_sam.cli.console import say, shown_progress

_DESCRIPTION = """\
Write an image, or labels, in another format; the suffix of OUTPUT says which.

A DICOM SEG, an RTSTRUCT and COCO JSON are labels; so is INPUT where --like names the image that it belongs
to, and whatever goes into a format of labels alone. All else is an image, unless --labels says otherwise;
whole numbers stay what they are. With --like, labels are put onto the grid of that image; DICOM SEG and
RTSTRUCT need it, for they refer to the image's files.
"""


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "convert",
        help="write an image or labels in another format",
        description=_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_image_argument(parser)
    parser.add_argument("output", metavar="OUTPUT", type=Path, help="what to write, such as ct.nii.gz")
    parser.add_argument("--like", type=image_place, metavar="IMAGE", help="the image that labels belong to")
    parser.add_argument("--like-series", metavar="KEY", help="which of the volumes of that image")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--labels", dest="as_labels", action="store_true", default=None, help="INPUT is labels"
    )
    which.add_argument("--image", dest="as_labels", action="store_false", help="INPUT is an image")
    parser.add_argument("--names", type=Path, metavar="FILE.json", help='names of labels: {"1": "liver"}')
    parser.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Convert, and say what was written and what to know of it."""
    from napari_sam.cli.arguments import UsageError
    from napari_sam.nodes.convert import ConvertJob, convert_file
    from napari_sam.nodes.image_input import ImageInput

    if given.like_series is not None and given.like is None:
        raise UsageError("--like-series is given without --like; name the image that the labels belong to")
    if given.as_labels is False and (given.like is not None or given.names is not None):
        raise UsageError("--image is given with --like or --names, which are for labels; leave one out")
    like = None
    if given.like is not None:
        like = ImageInput(given.like, given.like_series, given.allow_gaps, given.straighten)
    job = ConvertJob(chosen_image(given, given.image), given.output, like, given.as_labels, given.names)
    with shown_progress() as progress:
        done = convert_file(job, progress=progress)
    shape = " × ".join(str(n) for n in done.geometry.shape)
    spacing = " × ".join(f"{mm:.5g}" for mm in done.geometry.spacing_mm)
    what = "labels" if done.is_labels else "image"
    say(f"{what}: {given.output} ({shape} voxels of {spacing} mm, {done.dtype})")
    for segment in done.segments:
        say(f"{segment.value} {segment.title}")
    for note in done.notes:
        say(f"note: {note}")
