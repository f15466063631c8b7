"""The embedded weights of the network that draws boxed objects anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.models.box_refiner import BoxRefiner

__all__ = ["REFINER_WEIGHTS", "load_box_refiner"]

REFINER_WEIGHTS = Path(__file__).parent / "weights" / "box_refiner_v1.safetensors"


def load_box_refiner(path: Path = REFINER_WEIGHTS) -> BoxRefiner:
    """Load the network in float32, on the CPU, in evaluation mode.

    Raises
    ------
    MissingWeights
        The file is not in the package.
    WeightsError
        The file is none, or of another network.
    """
    import torch

    from napari_sam.errors import MissingWeights, WeightsError
    from napari_sam.models.box_refiner import BoxRefiner
    from napari_sam.zoo.weights import read_checkpoint

    if not path.is_file():
        raise MissingWeights(f"{path.name} is missing from the package; install it again")
    state, _ = read_checkpoint(path)
    network = BoxRefiner()
    state |= {k: v for k, v in network.state_dict().items() if k.endswith("num_batches_tracked")}
    ready = {name: value.float() for name, value in state.items()}
    for name in [name for name, value in ready.items() if value.dim() == 4]:
        ready[name] = ready[name].contiguous(memory_format=torch.channels_last)
    try:
        network.load_state_dict(ready, assign=True)
    except RuntimeError as error:
        raise WeightsError(f"{path} is not of the network that draws boxed objects anew: {error}") from error
    return network.eval().requires_grad_(False)
