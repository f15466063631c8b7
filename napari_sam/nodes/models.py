"""Which models there are, and loading the one that was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_sam import zoo
from napari_sam.core.segmenter import Segmenter
from napari_sam.errors import MissingWeights
from napari_sam.nodes.report import ModelRecord
from napari_sam.settings import Settings

__all__ = ["ModelChoice", "ModelInfo", "describe_model", "list_models", "load_model", "model_record"]


@dataclass(frozen=True)
class ModelChoice:
    """Which model is wanted; None leaves the choice to the settings.

    Parameters
    ----------
    name : str, optional
        As in `list_models`, or ``"default"``.
    weights : Path, optional
        A file of weights of that architecture.
    device : str, optional
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    precision : str, optional
        ``"auto"``, ``"float32"`` or ``"bfloat16"``.
    side : int, optional
        Side in pixels at which the encoder sees planes; None for the model's own.
    """

    name: str | None = None
    weights: Path | None = None
    device: str | None = None
    precision: str | None = None
    side: int | None = None

    def check(self) -> None:
        """Check what can be checked without loading anything.

        Raises
        ------
        UnknownModel, SettingsError, MissingWeights
            No model of that name, settings that cannot be used, no file of weights there.
        """
        describe_model(self.name or "default")
        if self.weights is not None and not self.weights.is_file():
            raise MissingWeights(f"there is no file of weights at {self.weights}; check --weights")


@dataclass(frozen=True)
class ModelInfo:
    """What there is to say of a model.

    Attributes
    ----------
    name, summary, licence, origin : str
        As registered.
    is_default : bool
        Whether it is the one that is used when none is named.
    is_here : bool
        Whether its weights are on this machine.
    weights : Path
        Where they are, or where they are looked for.
    side : int
        Side in pixels of the square that the encoder sees.
    prompts : tuple of str
        The kinds it takes.
    url, sha256, xxh128 : str or None
        Where the published file is, and the digest that its maker publishes.
    n_bytes : int or None
        Its size.
    """

    name: str
    summary: str
    licence: str
    origin: str
    is_default: bool
    is_here: bool
    weights: Path
    side: int
    prompts: tuple[str, ...]
    url: str | None
    sha256: str | None
    xxh128: str | None
    n_bytes: int | None


def list_models(settings: Settings | None = None) -> tuple[ModelInfo, ...]:
    """List all models by name; loads none of them."""
    settings = settings or Settings.resolve()
    return tuple(describe_model(name, settings) for name in zoo.names())


def describe_model(name: str, settings: Settings | None = None) -> ModelInfo:
    """Describe one model; ``default`` is the one that the settings name.

    Raises
    ------
    UnknownModel
        None of that name.
    """
    settings = settings or Settings.resolve()
    default = zoo.get(settings.model).name
    spec = zoo.get(default if name == "default" else name)
    weights = spec.weights
    place = weights.embedded or settings.cache_dir / "weights" / weights.filename
    is_here = place.is_file()
    return ModelInfo(
        spec.name, spec.summary, weights.licence, weights.origin, spec.name == default, is_here, place,
        spec.side, tuple(sorted(spec.prompts)), weights.url, weights.sha256, weights.xxh128,
        place.stat().st_size if is_here else weights.n_bytes,
    )  # fmt: skip


def load_model(choice: ModelChoice, settings: Settings | None = None) -> Segmenter:
    """Load the chosen model with its weights; errors as `napari_sam.load_segmenter`."""
    from napari_sam.engine import loading

    return loading.load_segmenter(
        choice.name or "default",
        choice.device or "auto",
        choice.weights,
        settings,
        choice.precision or "auto",
        choice.side,
    )


def model_record(segmenter: Segmenter) -> ModelRecord:
    """Say which model answers, for reports and sessions; blanks where a segmenter does not tell."""
    return ModelRecord(
        segmenter.name,
        str(getattr(segmenter, "weights_sha256", "")),
        str(getattr(segmenter, "device", "")),
    )
