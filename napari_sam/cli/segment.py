"""``napari-sam segment``: from an image and prompts to a label file."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam.cli.arguments import (
    UsageError,
    add_image_argument,
    add_model_arguments,
    add_plane_arguments,
    box_numbers,
    chosen_image,
    model_choice,
    point_numbers,
    positive_number,
)
from napari_sam.cli.console import cancel_on_interrupt, say, shown_progress

if TYPE_CHECKING:
    from napari_sam.nodes.object_prompts import ObjectPrompts
    from napari_sam.nodes.report import ObjectReport
    from napari_sam.nodes.segment import SegmentOptions

_DESCRIPTION = """\
Segment objects from points and boxes, and follow them through the volume.

Indices are voxels in array order (plane, row, column), from 0. A point is Z,Y,X whatever the axis. A box is
half-open: Y1 and X1 are the first row and column outside. With --axis 1 a box is PLANE,Z0,X0,Z1,X1, with
--axis 2 PLANE,Z0,Y0,Z1,Y1: the plane's index along that axis, then its own rows and columns. --point,
--negative and --box together describe one object, which gets the label 1; --prompts takes several objects.
"""


def add_to(commands: Any) -> None:
    """Add the command."""
    from argparse import RawDescriptionHelpFormatter

    parser = commands.add_parser(
        "segment",
        help="segment objects from points and boxes",
        description=_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_image_argument(parser)
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", type=Path, help="label file, such as labels.nii.gz"
    )
    parser.add_argument(
        "--point", action="append", default=[], type=point_numbers, metavar="Z,Y,X", help="in the object"
    )
    parser.add_argument(
        "--negative",
        action="append",
        default=[],
        type=point_numbers,
        metavar="Z,Y,X",
        help="beside the object",
    )
    parser.add_argument(
        "--box",
        action="append",
        default=[],
        type=box_numbers,
        metavar="Z,Y0,X0,Y1,X1",
        help="around the object",
    )
    parser.add_argument(
        "--candidate",
        type=int,
        choices=(0, 1, 2),
        help="which of the model's three masks to take at the prompts (the report has their scores)",
    )
    parser.add_argument("--prompts", type=Path, metavar="FILE.json", help="prompts of several objects")
    parser.add_argument(
        "--labels-in",
        type=Path,
        metavar="FILE",
        help="labels to begin with (any label format, SEG, RTSTRUCT): they stay, but for what is prompted",
    )
    parser.add_argument("--plane-only", action="store_true", help="stay in the prompted planes")
    add_plane_arguments(parser, with_all=True)
    _add_propagation_arguments(parser)
    add_model_arguments(parser)
    parser.add_argument(
        "--session",
        type=Path,
        metavar="DIR",
        help="keep every step in this folder, and go on with what it holds",
    )
    parser.add_argument("--preview", type=Path, metavar="OUT.png", help="write a picture with the outlines")
    parser.add_argument(
        "--report", type=Path, metavar="OUT.json", help="write scores, areas, times, stop reasons"
    )
    parser.set_defaults(run=run)


def _add_propagation_arguments(parser: Any) -> None:
    parser.add_argument(
        "--no-repair",
        action="store_true",
        help="do not ask again for planes that agree with neither of their neighbours",
    )
    parser.add_argument(
        "--film",
        action="store_true",
        default=None,
        help="the planes are frames: things move, leave and come back (known by itself of films)",
    )
    parser.add_argument(
        "--clean",
        type=positive_number,
        metavar="MM3",
        help="at the end, fill holes and drop pieces of up to so many mm³",
    )
    parser.add_argument(
        "--smooth", type=positive_number, metavar="MM", help="at the end, round the outline off"
    )


def _options(given: Namespace) -> SegmentOptions:
    from napari_sam.core.final_pass import FinalPass
    from napari_sam.core.propagation import PropagationLimits
    from napari_sam.nodes.segment import SegmentOptions

    final = FinalPass(given.clean, given.clean, given.smooth)
    return SegmentOptions(
        plane_only=given.plane_only,
        planes=given.planes,
        limits=PropagationLimits(repairs=not given.no_repair),
        all_axes=given.axis == "all",
        film=given.film,
        final=final if final.steps else None,
    )


def run(given: Namespace) -> None:
    """Segment, and say what was found and where it was written."""
    from napari_sam.errors import Cancelled
    from napari_sam.nodes.image_input import ImageInput
    from napari_sam.nodes.segment_file import SegmentJob, segment_file

    job = SegmentJob(
        image=chosen_image(given, given.image),
        labels=given.output,
        objects=_objects(given),
        options=_options(given),
        window=given.window,
        model=model_choice(given),
        session=given.session,
        preview=given.preview,
        report=given.report,
        labels_in=None if given.labels_in is None else ImageInput(given.labels_in),
    )
    try:
        with cancel_on_interrupt() as cancel, shown_progress() as progress:
            report = segment_file(job, progress=progress, cancel=cancel)
    except Cancelled as error:
        kept = f"what was done is in {given.session}" if given.session else "nothing was written"
        raise Cancelled(f"cancelled; {kept}") from error
    for one in report.objects:
        say(describe_object(one))
    for name in ("output", "preview", "report", "session"):
        if getattr(given, name) is not None:
            say(f"{'labels' if name == 'output' else name}: {getattr(given, name)}")


def describe_object(one: ObjectReport) -> str:
    """Say in one line what was found of an object."""
    if one.voxels == 0 and one.held_by:
        ids = ", ".join(map(str, one.held_by))
        what = f"{one.id} {one.name}: nothing, as its voxels belong to {ids}"
        return f"{what}; clear them there, or prompt elsewhere"
    if one.voxels == 0:
        return f"{one.id} {one.name}: nothing found at the prompts"
    filled = [record.plane for record in one.planes if record.state != "stopped" and record.area_px]
    stops = (
        f"{one.towards_first.reason} below"
        + (f" (plane {one.towards_first.plane})" if one.towards_first.plane is not None else ""),
        f"{one.towards_last.reason} above"
        + (f" (plane {one.towards_last.plane})" if one.towards_last.plane is not None else ""),
    )
    return (
        f"{one.id} {one.name}: {one.voxels} voxels, {one.size}, "
        f"planes {filled[0]} to {filled[-1]}; ended by {', '.join(stops)}"
    )


def _objects(given: Namespace) -> tuple[ObjectPrompts, ...]:
    axis = 0 if given.axis == "all" else given.axis
    typed = [name for name in ("point", "negative", "box") if getattr(given, name)]
    typed += ["candidate"] if given.candidate is not None else []
    if given.prompts is not None and typed:
        raise UsageError(f"--prompts and --{typed[0]} are both given; put all prompts into {given.prompts}")
    if given.prompts is not None:
        from napari_sam.nodes.prompts_file import read_prompts

        return read_prompts(given.prompts, axis)
    if typed in ([], ["candidate"]):
        raise UsageError("no prompt is given; give --point Z,Y,X, --box Z,Y0,X0,Y1,X1 or --prompts FILE.json")
    from dataclasses import replace

    from napari_sam.core.prompts import BoxPrompt, PointPrompt
    from napari_sam.nodes.object_prompts import box_in_plane, group_prompts

    prompts: list[PointPrompt | BoxPrompt] = [PointPrompt(at, True) for at in given.point]
    prompts += [PointPrompt(at, False) for at in given.negative]
    prompts += [box_in_plane(axis, plane, box_hw) for plane, box_hw in given.box]
    return (replace(group_prompts(1, "", prompts, axis), candidate=given.candidate),)
