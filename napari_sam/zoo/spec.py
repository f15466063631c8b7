"""The two records that describe a model: how it is built and fed, and where its numbers come from."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_sam.core.auto_plan import AutoMaskSettings
from napari_sam.errors import SettingsError

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam.models.ending_eye import EndingEye
    from napari_sam.models.refiner import Refiners
    from napari_sam.models.sam import Sam

PREPROCESSING_REVISION = 1
"""Raised when `engine.frame` feeds the same plane differently, so that older embeddings are not used."""

_NAME = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_XXH128 = re.compile(r"[0-9a-f]{32}")
_PLAIN_NAME = re.compile(r"[^./\\:][^/\\:]*")
_KNOWN_PROMPTS = frozenset({"point", "box", "mask"})

Triple = tuple[float, float, float]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Weights:
    """A file of weights: what it is called, how it is recognised, and whose it is.

    Attributes
    ----------
    filename
        Name of the file in the cache folder: the published one, where that tells it from others.
    licence, origin
        Licence identifier, and who made the weights (one line).
    sha256
        Digest in hex of the published file; None where it is not fixed (the embedded default).
    url
        Where the file can be had; None for weights inside the package.
    n_bytes
        Size of the published file, where known.
    embedded
        Path of the file inside the package; None for weights that are not shipped.
    xxh128
        Digest in hex that the maker publishes in place of a sha256.
    """

    filename: str
    licence: str
    origin: str
    sha256: str | None = None
    url: str | None = None
    n_bytes: int | None = None
    embedded: Path | None = None
    xxh128: str | None = None

    def __post_init__(self) -> None:
        if _PLAIN_NAME.fullmatch(self.filename) is None:
            raise SettingsError(
                f"weights are named by a plain file name, not {self.filename!r}; leave out any folder"
            )
        if self.sha256 is not None and _SHA256.fullmatch(self.sha256) is None:
            raise SettingsError(
                f"sha256 of {self.filename} must be 64 hex digits, not {self.sha256!r}; correct it"
            )
        if self.xxh128 is not None and _XXH128.fullmatch(self.xxh128) is None:
            raise SettingsError(
                f"xxh128 of {self.filename} must be 32 hex digits, not {self.xxh128!r}; correct it"
            )

    @property
    def digest(self) -> tuple[Literal["sha256", "xxh128"], str] | None:
        """The published digest with its algorithm, the sha256 where there are both; None without one."""
        if self.sha256 is not None:
            return "sha256", self.sha256
        return None if self.xxh128 is None else ("xxh128", self.xxh128)


@dataclass(frozen=True)
class ModelSpec:
    """Everything the engine has to know about a model.

    Attributes
    ----------
    name
        ``architecture.tag``, as in ``sam_vit_b.meta``.
    summary
        One line for a list of models.
    build
        Makes the network, with numbers of no meaning; called only when the model is loaded.
    weights
        The file its numbers come from.
    side
        Side in pixels of the square the encoder is given.
    mean, std
        Per channel, on the 0..255 scale.
    prompts
        The kinds it takes: ``point``, ``box``, ``mask``.
    convert
        Turns the names of a foreign checkpoint into ours; None where they are ours already.
    resize
        How a plane becomes that square, and logits come back; see `engine.frame` and `engine.stretched`.
        ``pad``: longest side to ``side``, zeros to the right and below. ``stretch``: both sides to ``side``,
        as EfficientSAM. ``stretch_cubic``: the same with splines, as MedSAM.
    scaling
        ``fixed``: grey levels as they are. ``picture``: each picture's own smallest and largest level become
        0 and 255 first.
    max_points
        Points that the model can take, a box counting as two; None for any number. Of more, a box, the first
        positive point and the newest others are kept.
    single_mask
        Whether the decoder's first mask is for prompts that leave little doubt. Off for models of which only
        the three candidates are published: the one with the highest score is then taken for every prompt.
    lead
        Where a box, or two or three clicks, are all there is, one of the three candidates is taken in place
        of the first mask if its predicted IoU is higher by more than this; never for published models.
    zoom
        Whether to ask for objects that are small in their plane on an enlarged part of it; see `engine.zoom`.
        Off for models whose published answers are on whole planes.
    afar
        Whether prompts are asked at half the plane's size as well; see `napari_sam.models.far_look`. For
        networks that take any size.
    refiner
        Loads the network that draws answers to boxes anew, which was trained for these weights and no others;
        see `napari_sam.models.refiner`.
    ending_eye
        Loads the network that looks at where a followed object may have ended, and is told what these weights
        say; see `napari_sam.models.ending_eye`.
    tidy
        Pieces and holes of masks of less than this part of the largest piece are taken for specks, and
        removed; 0 leaves masks as they come, as published models have them.
    bfloat16_cosine
        Cosine of its embeddings in bfloat16 with those in float32, the smallest measured; 0 where none was.
    precision
        What it computes in, once that has been chosen; see `engine.precision`.
    auto_masks
        How to ask it for everything in a plane, where the caller does not say.
    segmenter
        Makes the segmenter of the loaded network, its spec, its weights' digest, the store of embeddings and
        the device, in place of the engine's own classes. A model with a memory of its own gives a subclass of
        `napari_sam.engine.sam_segmenter.SamSegmenter` with the `propagate` of `core.segmenter.Propagator`.
    """

    name: str
    summary: str
    build: Callable[[], Sam]
    weights: Weights
    side: int
    mean: Triple
    std: Triple
    prompts: frozenset[str] = _KNOWN_PROMPTS
    convert: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] | None = None
    resize: Literal["pad", "stretch", "stretch_cubic"] = "pad"
    scaling: Literal["fixed", "picture"] = "fixed"
    max_points: int | None = None
    single_mask: bool = True
    lead: float = math.inf
    zoom: bool = False
    afar: bool = False
    refiner: Callable[[], Refiners] | None = None
    ending_eye: Callable[[], EndingEye] | None = None
    tidy: float = 0.0
    bfloat16_cosine: float = 0.0
    precision: Precision = "float32"
    auto_masks: AutoMaskSettings = AutoMaskSettings()  # noqa: RUF009 - frozen
    segmenter: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise SettingsError(
                f"a model's name is architecture.tag in lower case, not {self.name!r}; rename it"
            )
        if self.side <= 0:
            raise SettingsError(
                f"the side of {self.name} must be positive, not {self.side} pixels; correct it"
            )
        if not self.prompts or not self.prompts <= _KNOWN_PROMPTS:
            raise SettingsError(
                f"{self.name} takes prompts {sorted(self.prompts)}; choose of {sorted(_KNOWN_PROMPTS)}"
            )
        if self.max_points is not None and self.max_points < 3:
            raise SettingsError(
                f"{self.name} takes {self.max_points} points; give 3 or more, or None for any number"
            )
        if self.zoom and self.resize != "pad":
            raise SettingsError(f"{self.name} cannot zoom with resize {self.resize!r}; use pad, or no zoom")

    @property
    def preprocessing_version(self) -> str:
        """Names all that lies between plane and embedding but the weights; part of an embedding's key."""
        scaling = "" if self.scaling == "fixed" else f" {self.scaling}"
        version = f"v{PREPROCESSING_REVISION} {self.resize}{scaling} {self.side}"
        version += f" mean {self.mean} std {self.std}"
        return version if self.precision == "float32" else f"{version} {self.precision}"
