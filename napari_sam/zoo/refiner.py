"""The embedded weights of the two networks that draw answers anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.models.refiner import Refiner, Refiners

__all__ = ["BOX_WEIGHTS", "CLICK_WEIGHTS", "load_refiner", "load_refiners"]

BOX_WEIGHTS = Path(__file__).parent / "weights" / "box_refiner_v2.safetensors"
CLICK_WEIGHTS = Path(__file__).parent / "weights" / "click_refiner_v2.safetensors"


def load_refiners() -> Refiners:
    """Load both, as `load_refiner` does."""
    from napari_sam.models.refiner import Refiners

    of_boxes = load_refiner(BOX_WEIGHTS, sees_clicks=False)
    return Refiners(of_boxes, load_refiner(CLICK_WEIGHTS)).eval()


def load_refiner(path: Path, sees_clicks: bool = True) -> Refiner:
    """Load one of the networks in float32, on the CPU, in evaluation mode.

    Raises
    ------
    MissingWeights
        The file is not in the package.
    WeightsError
        The file is none, or of another network.
    """
    from napari_sam.models.refiner import Refiner
    from napari_sam.zoo.embedded import load_embedded

    return load_embedded(Refiner(sees_clicks), path)
