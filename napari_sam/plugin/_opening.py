"""Reading for a window: which series, and whether gaps or a tilt are to be taken, is asked of the person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath
from urllib.parse import urlsplit

from napari_sam.nodes.image_input import ImageInput, Place, is_url
from napari_sam.plugin._dialogs import ask_yes, choose_series
from volumes import MissingSlices, MixedSeries, SeriesInfo, TiltedGantry, UnevenSpacing, Volume

__all__ = ["layer_name", "open_volumes"]

_GAPS = (
    "{error}.\n\nOpen it all the same? The planes keep their true positions, and those that are missing are "
    "filled in."
)
_TILT = "{error}.\n\nOpen it straightened? Its planes are then resampled onto axes at right angles."


def open_volumes(place: Place) -> Iterator[tuple[str, Volume]]:
    """Read what a person chooses of a file or folder, each with a name for its layer; nothing on Cancel.

    Raises
    ------
    VolumeError
        What cannot be read; also where the person says no to a question, or nobody is there to be asked.
    """
    source, name = ImageInput(place), layer_name(place)
    try:
        yield name, _read(source)
        return
    except MixedSeries:
        chosen = choose_series(source.list_series())
        if chosen is None:
            raise
    for one in chosen:
        yield _series_name(name, one), _read(replace(source, series=one.key))


def layer_name(place: Place) -> str:
    """Return what to call the layer of a file, a folder or an address."""
    path = PurePath(urlsplit(str(place)).path if is_url(place) else place)
    name = path.name.removesuffix(".gz")
    is_plain = PurePath(name).suffix and not path.name.lower().endswith(".zarr")
    return PurePath(name).stem if is_plain else name


def _series_name(name: str, series: SeriesInfo) -> str:
    return f"{name} {series.description or series.key}"


def _read(source: ImageInput) -> Volume:
    """Read a volume; a question that is answered with yes is not asked again."""
    try:
        return source.read()
    except (MissingSlices, UnevenSpacing) as error:
        if source.allow_gaps or not ask_yes("Missing or uneven planes", _GAPS.format(error=error)):
            raise
        return _read(replace(source, allow_gaps=True))
    except TiltedGantry as error:
        if source.straighten or not ask_yes("Tilted planes", _TILT.format(error=error)):
            raise
        return _read(replace(source, straighten=True))
