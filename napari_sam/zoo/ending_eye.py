"""The embedded weights of the network that looks at where objects may have ended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.models.ending_eye import EndingEye

__all__ = ["EYE_WEIGHTS", "load_ending_eye"]

EYE_WEIGHTS = Path(__file__).parent / "weights" / "ending_eye_v1.safetensors"


def load_ending_eye(path: Path = EYE_WEIGHTS) -> EndingEye:
    """Load the network in float32, on the CPU, in evaluation mode.

    Raises
    ------
    MissingWeights
        The file is not in the package.
    WeightsError
        The file is none, or of another network.
    """
    from napari_sam.models.ending_eye import EndingEye
    from napari_sam.zoo.embedded import load_embedded

    return load_embedded(EndingEye(), path)
