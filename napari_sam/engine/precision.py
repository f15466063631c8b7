"""Choosing the precision that a model computes in, and the side of its input."""

from __future__ import annotations

from dataclasses import replace

import torch

from napari_sam.errors import DeviceUnavailable, SettingsError
from napari_sam.models.image_encoder import ImageEncoder
from napari_sam.models.products import has_native_bfloat16
from napari_sam.models.sam import Sam
from napari_sam.zoo.spec import ModelSpec, Precision

__all__ = ["MIN_COSINE", "at_side", "choose_precision", "in_precision"]

MIN_COSINE = 0.999
"""``auto`` takes bfloat16 for models whose embeddings' cosine with those in float32 is at least this."""

_FIRST_CUDA_WITH_BFLOAT16 = (8, 0)
_WISHES = ("auto", "float32", "bfloat16")


def choose_precision(wish: str, spec: ModelSpec, device: torch.device) -> Precision:
    """Turn a wish into a precision.

    Parameters
    ----------
    wish : str
        ``"float32"``; ``"bfloat16"``; ``"auto"``: bfloat16 where the device multiplies in it and the model's
        embeddings were measured to stay within `MIN_COSINE`, else float32.
    spec : ModelSpec
        The model; ``bfloat16_cosine`` is what was measured.
    device : torch.device
        Where it runs.

    Raises
    ------
    SettingsError
        A wish of another name.
    DeviceUnavailable
        bfloat16 on a device that would only emulate it.
    """
    wish = wish.strip().lower()
    if wish not in _WISHES:
        raise SettingsError(f"the precision {wish!r} is not known; choose one of: {', '.join(_WISHES)}")
    if wish == "float32":
        return "float32"
    is_native = _multiplies_bfloat16(device)
    if wish == "auto":
        return "bfloat16" if is_native and spec.bfloat16_cosine >= MIN_COSINE else "float32"
    if not is_native:
        raise DeviceUnavailable(
            f"the device {device.type!r} has no products in bfloat16 here, and would be slower with them; "
            "choose the precision float32"
        )
    return "bfloat16"


def in_precision(model: Sam, spec: ModelSpec, precision: Precision) -> tuple[Sam, ModelSpec]:
    """Let a model compute in a precision, in place, and note it where embeddings are keyed."""
    if precision == "bfloat16":
        model.use_precision(torch.bfloat16)
    return model, replace(spec, precision=precision)


def at_side(model: Sam, spec: ModelSpec, side: int) -> tuple[Sam, ModelSpec]:
    """Let a model see planes at another size than it was trained at: faster, and an approximation.

    Its position embedding and its tables of relative positions are interpolated, in place.

    Raises
    ------
    SettingsError
        A model of another kind, or a side that its patches do not divide.
    """
    if side == spec.side:
        return model, spec
    encoder = model.image_encoder
    if not isinstance(encoder, ImageEncoder):
        raise SettingsError(
            f"{spec.name} sees planes at {spec.side} pixels only, not {side}; leave out the side"
        )
    patch = encoder.shape.patch
    if side < 2 * patch or side % patch:
        raise SettingsError(f"the side {side} does not suit {spec.name}; give a multiple of {patch} pixels")
    encoder.change_side(side)
    model.side = side
    return model, replace(spec, side=side)


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= _FIRST_CUDA_WITH_BFLOAT16
    return device.type == "cpu" and has_native_bfloat16()
