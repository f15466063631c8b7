"""Kinds of images: what a table has one line for."""

from __future__ import annotations

from collections.abc import Iterable

from napari_sam.core.labelled_folder import LabelledItem

__all__ = ["KINDS", "is_film", "kind_of", "kinds_in_order"]

KINDS = (
    "nuclei and blood cells",
    "EM and SEM",
    "CT organs",
    "MR organs",
    "lesions (CT, MR)",
    "X-ray lungs",
    "ultrasound",
    "fundus",
    "photos and film",
    "3-D microscopy",
)
"""The kinds that are told from the modality and the names of the classes, in the order of the tables."""


def kind_of(item: LabelledItem) -> str:
    """Name the kind of an item: one of `KINDS`, or its own modality where that tells none of them."""
    modality = item.kind.lower()
    classes = " ".join(item.names.values()).lower()
    rules = (
        ("ultrasound" in modality, "ultrasound"),
        ("x-ray" in modality, "X-ray lungs"),
        ("fundus" in modality, "fundus"),
        ("video" in modality or "photo" in modality, "photos and film"),
        ("microscopy 3d" in modality, "3-D microscopy"),
        (" sem " in f"{modality} " or " em " in f"{modality} ", "EM and SEM"),
        ("microscopy" in modality, "nuclei and blood cells"),
        ("lesion" in classes or "tumour" in classes, "lesions (CT, MR)"),
        (modality.startswith("ct"), "CT organs"),
        (modality.startswith("mr"), "MR organs"),
    )
    return next((kind for holds, kind in rules if holds), item.kind)


def is_film(item: LabelledItem) -> bool:
    """Return whether the planes of an item are moments: an object may come in parts there, half hidden."""
    return "video" in item.kind.lower() or "film" in item.kind.lower()


def kinds_in_order(items: Iterable[LabelledItem]) -> tuple[str, ...]:
    """List the kinds that the items have: those of `KINDS` first, others as they come."""
    found = dict.fromkeys(kind_of(item) for item in items)
    return tuple(kind for kind in (*KINDS, *(k for k in found if k not in KINDS)) if kind in found)
