"""Choosing where a model runs."""

from __future__ import annotations

import torch

from napari_sam.errors import DeviceUnavailable

__all__ = ["choose_device"]


def choose_device(name: str = "auto") -> torch.device:
    """Turn a wish into a device of this machine.

    Parameters
    ----------
    name : str
        ``"auto"`` (CUDA, else Apple's MPS, else the processor), ``"cpu"``, ``"cuda"``, ``"cuda:1"``,
        ``"mps"``.

    Raises
    ------
    DeviceUnavailable
        No such device here; the message lists those there are.
    """
    available = _available()
    wish = name.strip().lower()
    if wish == "auto":
        return torch.device(available[-1])
    kind, _, number = wish.partition(":")
    if kind not in available or not _exists(kind, number):
        raise DeviceUnavailable(
            f"the device {name!r} is not available here; choose one of: auto, {', '.join(available)}"
        )
    return torch.device(wish)


def _available() -> tuple[str, ...]:
    """Return the kinds of device there are, the fastest last."""
    kinds = ["cpu"]
    if torch.backends.mps.is_available():
        kinds.append("mps")
    if torch.cuda.is_available():
        kinds.append("cuda")
    return tuple(kinds)


def _exists(kind: str, number: str) -> bool:
    if not number:
        return True
    count = torch.cuda.device_count() if kind == "cuda" else 1
    return number.isdecimal() and int(number) < count
