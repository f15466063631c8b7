"""Which images one file or folder holds, and how a reader is asked for one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from volumes.errors import MixedSeries, UnknownSeries
from volumes.volume import Volume

__all__ = ["ReadOptions", "SeriesInfo", "choose_series", "describe_series", "one_series", "refuse_series"]

_N_NAMED = 8


@dataclass(frozen=True)
class SeriesInfo:
    """One volume that `read` can take from a file or folder which may hold several.

    Parameters
    ----------
    key : str
        What to pass as ``series``. Short, stable for the same files, and never an identifier of a patient or
        a study: for DICOM the series' number with what tells its parts from each other, elsewhere the
        channel, time or scene (``"c1"``, ``"t3"``, ``"c1/t3"``).
    modality : str
        DICOM modality; empty where the format has none.
    description : str
        What the file calls it, such as a DICOM series' description or a channel's name.
    shape : tuple of int
        Number of (planes, rows, columns).
    series_uid : str
        DICOM SeriesInstanceUID, for callers that have it from elsewhere: `read` takes it as a key too. Shown
        to nobody who has not asked for it.
    """

    key: str
    modality: str
    description: str
    shape: tuple[int, int, int]
    series_uid: str = ""


@dataclass(frozen=True)
class ReadOptions:
    """How to read.

    Parameters
    ----------
    series : str, optional
        Which of several volumes, a `SeriesInfo.key`.
    allow_gaps : bool
        Take a DICOM series with missing or unevenly spaced planes, and keep its gaps true.
    straighten : bool
        Resample a stack whose planes shift sideways (gantry tilt) onto axes at right angles.
    """

    series: str | None = None
    allow_gaps: bool = False
    straighten: bool = False


def one_series(volume: Volume) -> tuple[SeriesInfo, ...]:
    """List the only volume of a file of a format that holds one."""
    return (SeriesInfo("0", volume.provenance.modality or "", "", volume.shape),)


def refuse_series(options: ReadOptions, path: Path) -> None:
    """Raise UnknownSeries where a series is asked of a format that holds one volume."""
    if options.series not in (None, "0"):
        raise UnknownSeries(f"{path} holds one volume and has no series {options.series!r}; leave series out")


def choose_series(found: Sequence[SeriesInfo], series: str | None, path: Path) -> int:
    """Return the place of the series asked for, or of the only one.

    Parameters
    ----------
    found : sequence of SeriesInfo
        What there is.
    series : str or None
        A key, or a SeriesInstanceUID.
    path : Path
        Where it lies, for the message.

    Raises
    ------
    UnknownSeries
        If it is not there.
    MixedSeries
        If there are several and none was asked for.
    """
    wanted = [at for at, info in enumerate(found) if series is None or series == info.key]
    if not wanted:
        wanted = [at for at, info in enumerate(found) if series == info.series_uid]
    if len(wanted) == 1:
        return wanted[0]
    listed = describe_series([found[at] for at in wanted] or found)
    if not wanted:
        raise UnknownSeries(f"{path} has no series {series!r}; it has {listed}")
    raise MixedSeries(
        f"{path} holds {len(wanted)} series; choose one by series=KEY or --series KEY: {listed}"
    )


def describe_series(found: Sequence[SeriesInfo]) -> str:
    """Name series in a message, the first few of many."""
    named = [f"{info.key} ({_described(info)})" for info in found[:_N_NAMED]]
    more = f" and {len(found) - _N_NAMED} more" if len(found) > _N_NAMED else ""
    return "; ".join(named) + more


def _described(info: SeriesInfo) -> str:
    """Say of a series what tells it from others."""
    words = (info.modality, info.description, "x".join(map(str, info.shape)))
    return " ".join(word for word in words if word)
