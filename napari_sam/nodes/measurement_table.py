"""Measurements as rows: the columns, the CSV and the JSON; defined in ``docs/measurements.md``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_sam.core.diameters import Diameter
from napari_sam.core.measuring import PERCENTILES, ClassTotal, ObjectMeasures
from napari_sam.nodes.amounts import MILLI, PIXELS, Units
from napari_sam.nodes.outputs import write_bytes

__all__ = [
    "MEASURE_COLUMNS",
    "Measured",
    "Measurements",
    "measurement_row",
    "measurements_csv",
    "measurements_json",
    "save_measurements",
    "table_units",
]

SCHEMA_VERSION = 1
_SIZES = ("_ml", "_mm", "_mm2")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Measured:
    """An object with its measures.

    Attributes
    ----------
    id : int
        Its value in the labels.
    name, class_name : str
        What it is called, and the class that it belongs to.
    measures : ObjectMeasures
        All that was measured.
    """

    id: int
    name: str
    class_name: str
    measures: ObjectMeasures


@dataclass(frozen=True)
class Measurements:
    """All objects in order of their ids, the classes in order of their names, and the unit of grey values.

    `unit` is ``"HU"`` for CT, else empty; `notes` say what was assumed, one sentence each; `units` suit the
    image's voxels, for people: the tables are in mm and ml.
    """

    objects: tuple[Measured, ...]
    classes: tuple[ClassTotal, ...]
    unit: str = ""
    notes: tuple[str, ...] = ()
    units: Units = MILLI


_PLACES = ("x", "y", "z")
_AXES = ("plane", "row", "column")
MEASURE_COLUMNS = (
    "id",
    "name",
    "class",
    "voxels",
    "volume_ml",
    "planes",
    "largest_area_mm2",
    "largest_area_plane",
    "longest_diameter_3d_mm",
    "longest_diameter_in_plane_mm",
    "perpendicular_diameter_mm",
    "diameters_plane",
    "diameters_sum_mm",
    "diameters_product_mm2",
    "equivalent_diameter_mm",
    "surface_mm2",
    "sphericity",
    *(f"centroid_{one}_lps_mm" for one in _PLACES),
    *(f"box_{end}_{one}" for end in ("start", "stop") for one in _AXES),
    "intensity_unit",
    "intensity_mean",
    "intensity_sd",
    "intensity_min",
    *("intensity_median" if one == 50 else f"intensity_p{one:g}" for one in PERCENTILES),
    "intensity_max",
    *(f"longest_{end}_{one}_lps_mm" for end in ("from", "to") for one in _PLACES),
    *(f"in_plane_{end}_{one}_lps_mm" for end in ("from", "to") for one in _PLACES),
    *(f"perpendicular_{end}_{one}_lps_mm" for end in ("from", "to") for one in _PLACES),
)
"""The header of the CSV; units are in the names."""


def measurement_row(one: Measured, unit: str) -> tuple[Any, ...]:
    """Return an object's cells in the order of `MEASURE_COLUMNS`; None where there is no value."""
    found, grey = one.measures, one.measures.intensities
    values: Sequence[Any] = [None] * (4 + len(PERCENTILES))
    if grey is not None:
        values = (grey.mean, grey.spread, grey.low, *grey.percentiles, grey.high)
    flat = found.in_plane
    lines: tuple[Diameter, ...] = (found.longest, flat.longest, flat.perpendicular)
    return (
        *(one.id, one.name, one.class_name, found.voxels, found.volume_ml, len(found.areas_mm2)),
        *(found.largest_area_mm2, found.largest_plane, *(line.mm for line in lines)),
        *(flat.plane, flat.sum_mm, flat.product_mm2, found.equivalent_diameter_mm, found.surface_mm2),
        *(found.sphericity, *found.centroid_lps_mm, *found.box.start, *found.box.stop),
        *(unit if grey is not None else None, *values),
        *(mm for line in lines for end in line.ends_lps_mm for mm in end),
    )


def measurements_csv(found: Measurements) -> str:
    """Write a row for each object, in order of the ids, under `MEASURE_COLUMNS`.

    Numbers have a point and at most six digits after it; volumes, areas and lengths below 1 have six digits
    that count, for those of cells are small. A text that a spreadsheet would take for a formula
    gets an apostrophe before it.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(MEASURE_COLUMNS)
    for one in found.objects:
        row = zip(MEASURE_COLUMNS, measurement_row(one, found.unit), strict=True)
        writer.writerow([_cell(name, value) for name, value in row])
    return stream.getvalue()


def measurements_json(found: Measurements) -> str:
    """Write the same as JSON, with the areas of all planes and the classes; numbers rounded in that way."""
    objects = []
    for one in found.objects:
        row = zip(MEASURE_COLUMNS, measurement_row(one, found.unit), strict=True)
        record = {name: _rounded(name, value) for name, value in row}
        flat = one.measures.in_plane
        lines = {
            "longest": one.measures.longest,
            "in_plane": flat.longest,
            "perpendicular": flat.perpendicular,
        }
        areas_mm2 = one.measures.areas_mm2
        record["areas_mm2"] = {str(index): _rounded("area_mm2", mm2) for index, mm2 in areas_mm2.items()}
        record["diameter_ends_idx"] = {name: line.ends_idx for name, line in lines.items()}
        objects.append(record)
    classes = [
        {
            "name": one.name,
            "objects": one.n_objects,
            "voxels": one.voxels,
            "volume_ml": _rounded("volume_ml", one.volume_ml),
        }
        for one in found.classes
    ]
    content = {
        "report": "napari-sam measurements",
        "version": SCHEMA_VERSION,
        "axis": found.objects[0].measures.axis if found.objects else 0,
        "units": {"length": "mm", "area": "mm2", "volume": "ml", "pixel_is_1_mm": found.units is PIXELS},
        "objects": objects,
        "classes": classes,
    }
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)


def table_units(to: Units) -> str:
    """Say in which units tables are, where people read other ones; "" where they are the same."""
    if to is PIXELS:
        return "Its columns take a pixel for 1 mm."
    return "" if to is MILLI else "Its columns are in mm and ml, as their names say."


def save_measurements(path: Path, found: Measurements) -> None:
    """Write a table: JSON where the path ends in ``.json``, else CSV."""
    text = measurements_json(found) if path.suffix.lower() == ".json" else measurements_csv(found)
    write_bytes(path, text.encode())


def _rounded(name: str, value: Any) -> Any:
    """Round what is in a column of this name to six places; a size below 1 to six digits that count."""
    if not isinstance(value, float):
        return value
    is_size = name.endswith(_SIZES) and not name.endswith("_lps_mm")
    return float(f"{value:.6g}") if is_size and abs(value) < 1.0 else round(value, 6) + 0.0


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, float):
        rounded = _rounded(name, value)
        return f"{rounded:.6f}".rstrip("0").rstrip(".") if round(rounded, 6) == rounded else repr(rounded)
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
