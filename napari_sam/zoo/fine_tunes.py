"""Published fine-tunes of Segment Anything and MobileSAM, for medicine and microscopy.

micro-sam names a file after its encoder, whatever it was trained on; here each has the name that micro-sam
gives the model, so that several have room in one folder. Its models expect grey levels spread over 0..255,
which is what a session's window does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from napari_sam.zoo.builtin import (
    PIXEL_MEAN,
    PIXEL_STD,
    SAM_SIDE,
    build_mobile_sam,
    build_vit_sam,
    without_classifier,
)
from napari_sam.zoo.registry import register
from napari_sam.zoo.spec import ModelSpec, Weights

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam.models.sam import Sam

_BIOIMAGE_IO = "https://uk1s3.embassy.ebi.ac.uk/public-datasets/bioimage.io/"
_GOETTINGEN = "https://owncloud.gwdg.de/index.php/s/"
_MAKERS = "Computational Cell Analytics, Göttingen"
_MICRO_SAM = f"{_MAKERS}, micro-sam (Archit et al., 2025)"
_PATHO_SAM = f"{_MAKERS}, PathoSAM (Griebel et al., 2025)"
_MEDICO_SAM = f"{_MAKERS}, MedicoSAM (Archit et al., 2025)"

# What micro-sam exports to bioimage.io is CC-BY-4.0; no licence stands beside the other files.
_Convert = Callable[[Mapping[str, "Tensor"]], "dict[str, Tensor]"]


@dataclass(frozen=True)
class _Encoder:
    """An architecture that micro-sam trains: its name here, and how it is built and read."""

    architecture: str
    build: Callable[[], Sam]
    convert: _Convert | None = None


_ENCODERS = {
    "vit_t": _Encoder("mobile_sam", build_mobile_sam, without_classifier),
    "vit_b": _Encoder("sam_vit_b", partial(build_vit_sam, 768, 12, 12, (2, 5, 8, 11))),
    "vit_l": _Encoder("sam_vit_l", partial(build_vit_sam, 1024, 24, 16, (5, 11, 17, 23))),
    "vit_h": _Encoder("sam_vit_h", partial(build_vit_sam, 1280, 32, 16, (7, 15, 23, 31))),
}

_KINDS = {
    "lm": ("cells and nuclei in light microscopy", _MICRO_SAM, "CC-BY-4.0"),
    "em_organelles": ("mitochondria and nuclei in electron microscopy", _MICRO_SAM, "CC-BY-4.0"),
    "histopathology": ("nuclei in histopathology", _PATHO_SAM, "not stated"),
    "medical_imaging": ("organs and lesions in medical images", _MEDICO_SAM, "not stated"),
}

_MODELS = (
    ("vit_t", "lm", "faithful-chicken/1.1/files/vit_t.pt", "72ec5074774761a6e5c05a08942f981e"),
    ("vit_b", "lm", "diplomatic-bug/1.2/files/vit_b.pt", "fe9252a29f3f4ea53c15a06de471e186"),
    ("vit_l", "lm", "idealistic-rat/1.2/files/vit_l.pt", "017f20677997d628426dec80a8018f9d"),
    ("vit_t", "em_organelles", "greedy-whale/1/files/vit_t.pt", "253474720c497cce605e57c9b1d18fd9"),
    ("vit_b", "em_organelles", "noisy-ox/1.2/files/vit_b.pt", "f3bf2ed83d691456bae2c3f9a05fb438"),
    ("vit_l", "em_organelles", "humorous-crab/1.2/files/vit_l.pt", "810b084b6e51acdbf760a993d8619f2d"),
    ("vit_b", "histopathology", "sBB4H8CTmIoBZsQ/download", "ffd1a2cd84570458b257bd95fdd8f974"),
    ("vit_l", "histopathology", "IZgnn1cpBq2PHod/download", "b591833c89754271023e901281dee3f2"),
    ("vit_h", "histopathology", "L7AcvVz7DoWJ2RZ/download", "bd1856dafc156a43fb3aa705f1a6e92e"),
    ("vit_b", "medical_imaging", "f5Ol4FrjPQWfjUF/download", "40169f1e3c03a4b67bff58249c176d92"),
)
"""Encoder, kind, place of the file, and its XXH128, as in micro-sam's own registry."""


def _register_micro_sam(encoder: str, kind: str, place: str, xxh128: str) -> None:
    base = _ENCODERS[encoder]
    what, origin, licence = _KINDS[kind]
    host = _GOETTINGEN if place.endswith("download") else _BIOIMAGE_IO
    register(
        ModelSpec(
            name=f"{base.architecture}.micro_sam_{kind}",
            summary=f"micro-sam's {encoder}_{kind}: {what}; weights not included",
            build=base.build,
            weights=Weights(f"{encoder}_{kind}.pt", licence, origin, url=host + place, xxh128=xxh128),
            side=SAM_SIDE,
            mean=PIXEL_MEAN,
            std=PIXEL_STD,
            convert=base.convert,
        )
    )


for _model in _MODELS:
    _register_micro_sam(*_model)

register(
    ModelSpec(
        name="sam_vit_b.medsam",
        summary="MedSAM, ViT-B for medical images, boxes only; weights not included",
        build=_ENCODERS["vit_b"].build,
        weights=Weights(
            "medsam_vit_b.pth",
            "Apache-2.0",
            "University of Toronto, MedSAM (Ma et al., 2024)",
            url="https://zenodo.org/records/10689643/files/medsam_vit_b.pth",
        ),
        side=SAM_SIDE,
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
        prompts=frozenset({"box"}),
        resize="stretch_cubic",
        scaling="picture",
    )
)
