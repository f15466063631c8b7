"""``napari-sam info``: what an image is."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam.cli.console import say

if TYPE_CHECKING:
    from napari_sam.nodes.info import VolumeInfo


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "info",
        help="show geometry, orientation, modality and window of an image",
        description="Show what an image is; of a DICOM folder with several series, which these are.",
    )
    parser.add_argument("image", metavar="INPUT", type=Path, help="file, DICOM folder, or folder of pictures")
    parser.add_argument("--series", metavar="KEY", help="which series of a DICOM folder")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Describe the image, or list the series that there are to choose from."""
    from napari_sam.nodes.info import describe_file, info_record
    from volumes import MixedSeries

    try:
        info = describe_file(given.image, series=given.series)
    except MixedSeries:
        _list_series(given)
        return
    if given.json:
        say(json.dumps(info_record(info), indent=1))
        return
    for name, value in _rows(info):
        say(f"{name:<12} {value}")


def _list_series(given: Namespace) -> None:
    import volumes

    found = volumes.list_series(given.image)
    if given.json:
        rows = [
            {
                "key": one.key,
                "modality": one.modality,
                "shape": list(one.shape),
                "description": one.description,
            }
            for one in found
        ]
        say(json.dumps({"series": rows}, indent=1))
        return
    say(f"{len(found)} series; choose one with --series KEY")
    for one in found:
        shape = " × ".join(str(n) for n in one.shape)
        say(f"{one.key}  {one.modality}  {shape}  {one.description}".rstrip())


def _rows(info: VolumeInfo) -> list[tuple[str, str]]:
    def spaced(values: Any, form: str) -> str:
        return " × ".join(format(value, form) for value in values)

    geometry, orientation = info.geometry, info.orientation
    extent_mm = [n * step for n, step in zip(geometry.shape, geometry.spacing_mm, strict=True)]
    tilt = f", oblique by {orientation.oblique_deg:.1f}°" if orientation.oblique_deg >= 0.05 else ""
    rows = [
        ("format", info.format),
        ("modality", info.modality or "unknown"),
        ("shape", f"{spaced(geometry.shape, 'd')} (planes, rows, columns){', RGB' if info.is_rgb else ''}"),
        ("spacing", f"{spaced(geometry.spacing_mm, '.5g')} mm"),
        ("extent", f"{spaced(extent_mm, '.5g')} mm"),
        ("origin", ", ".join(f"{mm:.6g}" for mm in geometry.affine[:3, 3]) + " mm (LPS)"),
        ("orientation", f"{orientation.code}: {orientation.words}{tilt}"),
        ("values", f"{info.dtype}, {info.lowest:g} to {info.highest:g}"),
        ("window", f"{info.window.low:g} to {info.window.high:g}"),
    ]
    return rows + [("note", note) for note in info.notes]
