"""``napari-sam auto``: everything in an image, without a prompt."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path
from typing import Any

from napari_sam.cli.arguments import (
    UsageError,
    add_image_argument,
    add_model_arguments,
    add_plane_arguments,
    chosen_image,
    model_choice,
)
from napari_sam.cli.console import cancel_on_interrupt, say, shown_progress

_DESCRIPTION = """\
Segment everything in the planes of an image, without a prompt: the model is asked at each point of a grid,
and its answers are sifted by predicted IoU, by stability and by overlap.

LABELS has INPUT's geometry; where masks overlap, --on-top says whose a pixel is. --table lists all masks,
--rle holds each of them whole.
"""

_SETTINGS: tuple[tuple[str, type, str, str], ...] = (
    ("points_per_side", int, "N", "points along each side of the grid"),
    ("points_per_batch", int, "N", "points decoded at once: memory against speed"),
    ("pred_iou_threshold", float, "X", "drop masks of lower predicted IoU"),
    ("stability_score_threshold", float, "X", "drop masks of lower stability"),
    ("stability_score_offset", float, "X", "shift of the logits' threshold that stability is measured with"),
    ("presence_threshold", float, "X", "skip points where the model sees an object with lower probability"),
    ("box_nms_threshold", float, "X", "overlap of boxes (IoU) from which on masks are duplicates"),
    ("crop_n_layers", int, "N", "layers of crops to look at besides the whole plane, for small objects"),
    ("crop_nms_threshold", float, "X", "as --box-nms-threshold, between crops"),
    ("crop_overlap_ratio", float, "X", "overlap of crops, as a share of the plane's shorter side"),
    ("crop_n_points_downscale_factor", int, "N", "fewer points a side in each further layer, by this factor"),
    ("min_mask_region_area", int, "PX", "fill holes and remove islands of fewer pixels"),
)
"""Names, types, placeholders and meanings of the settings that may be given."""


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "auto",
        help="segment everything, without a prompt",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_image_argument(parser)
    parser.add_argument(
        "-o", "--output", required=True, metavar="LABELS", type=Path, help="label file, such as labels.nii.gz"
    )
    parser.add_argument("--table", type=Path, metavar="OUT.csv", help="write a table of all masks")
    parser.add_argument("--rle", type=Path, metavar="OUT.json", help="write all masks as COCO's run lengths")
    parser.add_argument("--plane", type=int, metavar="N", help="one plane only")
    add_plane_arguments(parser)
    add_model_arguments(parser)
    _add_rules(parser)
    group = parser.add_argument_group("grid and sieve", "what is not given is what the model recommends")
    for name, kind, placeholder, meaning in _SETTINGS:
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=placeholder, help=meaning)
    group.add_argument(
        "--point-grids",
        type=Path,
        metavar="FILE.json",
        help="points of one's own: for each layer a list of [row, column], from 0 to 1 of the crop",
    )
    group.add_argument(
        "--seeds",
        action=argparse.BooleanOptionalAction,
        help="ask besides in the middle of what the encoder groups into objects, where it groups",
    )
    group.add_argument(
        "--rle-form",
        choices=("compressed", "counts"),
        help="how --rle writes run lengths (default compressed)",
    )
    parser.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Segment everything, and say how much was found."""
    from napari_sam.core.auto_labels import LabelRules
    from napari_sam.errors import Cancelled
    from napari_sam.nodes.auto import AutoOptions
    from napari_sam.nodes.auto_file import AutoJob, auto_file

    rules = {name: getattr(given, name) for name in _RULES if getattr(given, name) is not None}
    options = AutoOptions(
        axis=given.axis,
        planes=_planes(given),
        window=given.window,
        changes=_changes(given),
        rules=LabelRules(**rules),
        link=given.link,
    )
    job = AutoJob(
        image=chosen_image(given, given.image),
        labels=given.output,
        options=options,
        model=model_choice(given),
        table=given.table,
        rle=given.rle,
    )
    try:
        with cancel_on_interrupt() as cancel, shown_progress() as progress:
            result = auto_file(job, progress=progress, cancel=cancel)
    except Cancelled as error:
        raise Cancelled("cancelled; nothing was written") from error
    say(f"{len(result.found)} masks, {result.n_objects} labels")
    for title, path in (("labels", given.output), ("table", given.table), ("run lengths", given.rle)):
        if path is not None:
            say(f"{title}: {path}")


_RULES = ("on_top", "min_visible_share", "min_area_px", "max_area_share")


def _add_rules(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("labels")
    group.add_argument(
        "--on-top",
        choices=("better", "smaller"),
        help="whose a pixel is that lies in several masks: the one of higher predicted IoU times stability "
        "(default), or the smaller one",
    )
    group.add_argument(
        "--min-visible-share", type=float, metavar="X", help="no label for a mask that shows less of itself"
    )
    group.add_argument("--min-area-px", type=int, metavar="PX", help="no label for a smaller mask")
    group.add_argument(
        "--max-area-share", type=float, metavar="X", help="no label for a mask of more of the plane"
    )
    group.add_argument(
        "--link", action="store_true", help="one id for labels that overlap from plane to plane"
    )


def _planes(given: Namespace) -> tuple[int, int] | None:
    if given.plane is None:
        planes: tuple[int, int] | None = given.planes
        return planes
    if given.planes is not None:
        raise UsageError("--plane and --range are both given; give one of them")
    if given.plane < 0:
        raise UsageError(f"--plane is {given.plane}; give 0 or more")
    return given.plane, given.plane + 1


def _changes(given: Namespace) -> dict[str, Any]:
    """Collect the settings that were given."""
    changes = {name: getattr(given, name) for name, *_ in _SETTINGS if getattr(given, name) is not None}
    if given.seeds is not None:
        changes["seeds"] = given.seeds
    if given.rle_form is not None:
        changes["form"] = given.rle_form
    if given.point_grids is not None:
        changes["point_grids"] = _read_grids(given.point_grids)
    return changes


def _read_grids(path: Path) -> Any:
    import json

    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; check the path") from error
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}; write [[[row, column], …], …]") from error
