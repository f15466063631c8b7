"""What a person may ask of ``napari-sam train``, and what may change when a run is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from napari_sam.core.window import parse_window
from napari_sam.errors import SettingsError
from napari_sam.training.fit_settings import FitSettings, Precision, Tune
from napari_sam.training.user_data import Axes

__all__ = ["TrainOptions", "resumed_options"]

_CHANGEABLE = frozenset({"steps", "patience", "device", "check_every"})


@dataclass(frozen=True)
class TrainOptions:
    """Options by their names on the command line: plain values, so that they can be written down.

    Attributes
    ----------
    model : str
        Name of the model, or ``"default"``.
    weights : str, optional
        Path of the weights to start from; None takes the model's own.
    objects : int
        Largest number of objects of one pair.
    side : int, optional
        Side of the model's input in pixels; None takes the model's own.
    held_out : float
        Part of the subjects that the model is checked on and not trained on.
    axes, window : str
        As in `napari_sam.training.user_data.prepare`.
    device : str
        As in `napari_sam.engine.device.choose_device`.

    The others are those of `FitSettings`.
    """

    model: str = "default"
    weights: str | None = None
    from_scratch: bool = False
    tune: Tune = "all"
    rank: int = 8
    alpha: float = 16.0
    steps: int = 1000
    rate: float | None = None
    pairs: int = 2
    accumulate: int = 1
    objects: int = 6
    side: int | None = None
    seed: int = 0
    held_out: float = 0.1
    patience: int = 5
    check_every: int = 100
    precision: Precision = "auto"
    device: str = "auto"
    axes: Axes = "acquisition"
    window: str | None = None

    def __post_init__(self) -> None:
        if self.from_scratch and self.weights is not None:
            raise SettingsError(f"--from-scratch and --weights {self.weights} exclude each other; drop one")
        if not 0 <= self.held_out < 1:
            raise SettingsError(f"--held-out must be from 0 to below 1, not {self.held_out:g}; try 0.1")
        if self.objects < 1:
            raise SettingsError(f"--objects must be at least 1, not {self.objects}; raise it")
        if self.axes not in get_args(Axes):
            raise SettingsError(f"--axes {self.axes!r} is unknown; give {', '.join(get_args(Axes))}")
        if self.window is not None:
            parse_window(self.window)
        self.fit_settings()

    def fit_settings(self) -> FitSettings:
        """Give the part that concerns the fitting."""
        given = asdict(self)
        given["n_pairs"] = self.pairs
        return FitSettings(**{one.name: given[one.name] for one in fields(FitSettings)})

    def record(self) -> dict[str, Any]:
        """Give the options as plain values by name."""
        return asdict(self)


def resumed_options(begun: Mapping[str, Any], asked: Mapping[str, Any]) -> TrainOptions:
    """Settle the options of a run that goes on: those that it was begun with, and what may be changed.

    Parameters
    ----------
    begun : mapping
        As `TrainOptions.record` gave it.
    asked : mapping
        Options that were named again.

    Raises
    ------
    SettingsError
        One that cannot change, or a record of another version.
    """
    known = {one.name for one in fields(TrainOptions)}
    if not known >= begun.keys():
        raise SettingsError(
            f"the run was begun with {sorted(begun.keys() - known)[0]!r}, which this version does not know; "
            "use the version that began it"
        )
    for name, value in asked.items():
        if name not in _CHANGEABLE and name in begun and begun[name] != value:
            option = name.replace("_", "-")
            raise SettingsError(
                f"the run was begun with --{option} {begun[name]}, not {value}; leave --{option} out, "
                "or choose another --out"
            )
    return TrainOptions(**{**begun, **asked})
