"""Small networks beside the embedded model: their weights, inside the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import nn

__all__ = ["load_embedded"]

Network = TypeVar("Network", bound="nn.Module")


def load_embedded(network: Network, path: Path) -> Network:
    """Fill a network with a file's weights: float32, on the CPU, in evaluation mode.

    Parameters
    ----------
    network : nn.Module
        With numbers of no meaning.
    path : Path
        A file of safetensors inside the package.

    Returns
    -------
    nn.Module
        The same network.

    Raises
    ------
    MissingWeights
        The file is not in the package.
    WeightsError
        The file is none, or of another network.
    """
    import torch

    from napari_sam.errors import MissingWeights, WeightsError
    from napari_sam.zoo.weights import read_checkpoint

    if not path.is_file():
        raise MissingWeights(f"{path.name} is missing from the package; install it again")
    state, _ = read_checkpoint(path)
    state |= {k: v for k, v in network.state_dict().items() if k.endswith("num_batches_tracked")}
    ready = {name: value.float() for name, value in state.items()}
    for name in [name for name, value in ready.items() if value.dim() == 4]:
        ready[name] = ready[name].contiguous(memory_format=torch.channels_last)
    try:
        network.load_state_dict(ready, assign=True)
    except RuntimeError as error:
        raise WeightsError(f"{path} is not of a network like {type(network).__name__}: {error}") from error
    return network.eval().requires_grad_(False)
