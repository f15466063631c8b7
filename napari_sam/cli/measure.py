"""``napari-sam measure``: sizes, places and grey values of the objects in labels."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam.cli.arguments import add_image_argument, chosen_image, image_place
from napari_sam.cli.console import say, shown_progress

if TYPE_CHECKING:
    from napari_sam.nodes.amounts import Units
    from napari_sam.nodes.measurement_table import Measured

_DESCRIPTION = (
    "Measure each object of LABELS: volume, area, diameters, surface, place, and the grey values of INPUT "
    "in it. The table on the screen is a part; --csv and --json have all, with the units in their names."
)


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("measure", help="measure the objects in labels", description=_DESCRIPTION)
    add_image_argument(parser)
    parser.add_argument("labels", metavar="LABELS", type=image_place, help="labels of that image")
    parser.add_argument("--csv", type=Path, metavar="OUT.csv", help="write a row for each object")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write all, areas of planes included")
    parser.add_argument(
        "--axis", type=int, choices=(0, 1, 2), default=0, help="array axis that planes cut across (default 0)"
    )
    parser.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Measure, and show a table."""
    from napari_sam.nodes.image_input import ImageInput
    from napari_sam.nodes.measure import MeasureJob, measure_file
    from napari_sam.nodes.measurement_table import table_units
    from napari_sam.nodes.tables import format_table

    job = MeasureJob(
        chosen_image(given, given.image), ImageInput(given.labels), given.csv, given.json, given.axis
    )
    with shown_progress() as progress:
        found = measure_file(job, progress=progress)
    unit, to = found.unit or "grey", found.units
    lengths = [f"{what} {to.length}" for what in ("longest", "in plane", "across")]
    heads = ["object", "voxels", to.volume, *lengths, f"mean {unit}", f"SD {unit}"]
    say(format_table(heads, [_row(one, to) for one in found.objects]))
    for total in found.classes:
        if total.n_objects > 1:
            volume = total.volume_ml * to.per_ml
            say(f"{total.name}: {total.n_objects} objects, {volume:.4g} {to.volume}")
    for title, path in (("table", given.csv), ("measurements", given.json)):
        if path is not None:
            say(f"{title}: {path}")
    if (given.csv or given.json) and (units := table_units(to)):
        say(f"units: {units}")
    for note in found.notes:
        say(f"note: {note}")


def _row(one: Measured, to: Units) -> list[str | float | int | None]:
    found, grey = one.measures, one.measures.intensities
    flat = found.in_plane
    return [
        f"{one.id} {one.name}",
        found.voxels,
        found.volume_ml * to.per_ml,
        *(line.mm * to.per_mm for line in (found.longest, flat.longest, flat.perpendicular)),
        None if grey is None else grey.mean,
        None if grey is None else grey.spread,
    ]
