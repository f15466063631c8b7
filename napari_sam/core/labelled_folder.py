"""Folders of images with masks: which image belongs to which labels, and what is known of both.

Nothing is read but the names and the index; `volumes.read` reads images and labels alike.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_sam.errors import InvalidDataset

__all__ = ["INSTANCE", "INSTANCE_PER_SLICE", "SEMANTIC", "LabelledItem", "list_labelled"]

_logger = logging.getLogger(__name__)

SEMANTIC, INSTANCE, INSTANCE_PER_SLICE = "semantic", "instance", "instance_per_slice"
"""What a label value means: a class, an object, or an object of one plane alone."""

UNNAMED_KIND = "images"
"""The kind of image where nothing says it."""

_INDEX = "INDEX.tsv"
_TWO_FOLDERS = (("images", "labels"), ("imagesTr", "labelsTr"))
_LABEL_ENDS = ("_seg", "_mask")
_FIRST_CHANNEL = "_0000"
_DOUBLE_SUFFIXES = (".nii.gz", ".ome.tif", ".ome.tiff")
_FORMS = "an INDEX.tsv, folders images/ and labels/, or files NAME.ext beside NAME_seg.ext"


@dataclass(frozen=True)
class LabelledItem:
    """An image or volume with its labels.

    Parameters
    ----------
    image, labels : Path
        Each a file, a DICOM folder, or a folder of numbered pictures; both of one shape (P, R, C).
    kind : str
        What kind of image it is, such as ``"CT"``: the modality as an index says it.
    mask_type : str
        ``"semantic"``, ``"instance"`` or ``"instance_per_slice"``: what a label value means.
    names : mapping of int to str
        Names of the classes by label value; empty where none are known.
    subject : str
        Whom or what it shows: items of one subject belong on one side of any split.
    """

    image: Path
    labels: Path
    kind: str
    mask_type: str
    names: Mapping[int, str]
    subject: str


def list_labelled(folder: Path) -> tuple[LabelledItem, ...]:
    """List the images of a folder that have labels.

    Three forms are understood. An ``INDEX.tsv`` (tab separated, no quoting) with the columns ``path`` and
    ``mask_path``, relative to it, and, as far as known, ``modality``, ``mask_type``, ``classes``
    (``value:name=voxels;…``) and ``subject``. Or two folders, ``images`` and ``labels`` (or ``imagesTr`` and
    ``labelsTr``, where the images' names end in ``_0000``), whose files have the same names but for the
    suffix. Or labels beside their images, as ``NAME_seg`` or ``NAME_mask``. Without an index the labels are
    taken as classes. Images without labels are left out, with a warning in the log.

    Parameters
    ----------
    folder : Path
        Where to look; not in folders below, except for those two.

    Returns
    -------
    tuple of LabelledItem
        In the order of the index, or by name.

    Raises
    ------
    InvalidDataset
        No such folder, none of the three forms, labels without an image, two images of one name, an index
        without the two columns, or a line of it that names no file or means nothing.
    """
    if not folder.is_dir():
        raise InvalidDataset(f"there is no folder {folder}; give a folder of images with masks")
    if (folder / _INDEX).is_file():
        return tuple(_of_index(folder / _INDEX))
    for image_name, label_name in _TWO_FOLDERS:
        images, labels = folder / image_name, folder / label_name
        if images.is_dir() and labels.is_dir():
            return tuple(_of_two_folders(images, labels))
    found = tuple(_of_neighbours(folder))
    if not found:
        raise InvalidDataset(f"{folder} holds no image with a mask that can be told; give {_FORMS}")
    return found


def _of_index(index: Path) -> Iterator[LabelledItem]:
    try:
        with index.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
            columns = reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidDataset(f"cannot read {index}: {error}; give tab separated text in UTF-8") from error
    missing = [name for name in ("path", "mask_path") if name not in columns]
    if missing or not rows:
        lacking = f"column {missing[0]!r}" if missing else "line"
        raise InvalidDataset(
            f"{index} has no {lacking}; give a line for each image, with path and mask_path relative to it"
        )
    for number, row in enumerate(rows, start=2):
        yield _of_row(index, number, row)


def _of_row(index: Path, number: int, row: Mapping[str, str]) -> LabelledItem:
    place = f"line {number} of {index}"
    image, labels = (_existing(index.parent, row[name], place) for name in ("path", "mask_path"))
    mask_type = row.get("mask_type") or SEMANTIC
    if mask_type not in (SEMANTIC, INSTANCE, INSTANCE_PER_SLICE):
        raise InvalidDataset(
            f"{place} has the mask_type {mask_type!r}; give {SEMANTIC}, {INSTANCE} or {INSTANCE_PER_SLICE}"
        )
    names = _class_names(row.get("classes", ""), place)
    subject = row.get("subject") or _stem(image)
    return LabelledItem(image, labels, row.get("modality") or UNNAMED_KIND, mask_type, names, subject)


def _existing(root: Path, name: str, place: str) -> Path:
    path = root / name
    if not name or not path.exists():
        raise InvalidDataset(f"{place} names {name or 'nothing'!r}, which is not in {root}; correct the path")
    return path


def _class_names(text: str, place: str) -> dict[int, str]:
    """Read ``value:name=voxels;…``; what names no value, such as a count of instances, is passed over."""
    names = {}
    for entry in text.split(";"):
        value, colon, name = entry.partition("=")[0].partition(":")
        if colon:
            try:
                names[int(value)] = name
            except ValueError:
                raise InvalidDataset(
                    f"{place} names the class {entry.strip()!r}; give VALUE:NAME=VOXELS with a whole number"
                ) from None
    return names


def _of_two_folders(images: Path, labels: Path) -> Iterator[LabelledItem]:
    by_name = _by_stem(images)
    if images.name.endswith("Tr"):  # nnU-Net: one file a channel, of which the first is taken
        by_name = {name.removesuffix(_FIRST_CHANNEL): path for name, path in by_name.items()}
    label_files = _by_stem(labels)
    if not label_files:
        raise InvalidDataset(f"{labels} is empty; give each image's labels there under the image's name")
    for name, path in label_files.items():
        if name not in by_name:
            raise InvalidDataset(
                f"{path} has no image of that name in {images}; add it, or remove the labels"
            )
        yield _unindexed(by_name[name], path, name)
    left_out = [path for name, path in by_name.items() if name not in label_files]
    if images.name.endswith("Tr"):
        left_out = [path for path in left_out if _stem(path).endswith(_FIRST_CHANNEL)]
    if left_out:
        _logger.warning("%s: left out %d images without labels", images, len(left_out))


def _of_neighbours(folder: Path) -> Iterator[LabelledItem]:
    entries = _entries(folder)
    images = [path for path in entries if not _stem(path).endswith(_LABEL_ENDS)]
    by_name: dict[str, list[Path]] = {}
    for path in images:
        by_name.setdefault(_stem(path), []).append(path)
    labelled = set()
    for path in entries:
        end = next((end for end in _LABEL_ENDS if _stem(path).endswith(end)), None)
        if end is None:
            continue
        name = _stem(path).removesuffix(end)
        if len(by_name.get(name, [])) != 1 or name in labelled:
            raise InvalidDataset(
                f"{path} does not belong to exactly one image named {name} in {folder}; "
                "give one image and one mask of each name"
            )
        labelled.add(name)
        yield _unindexed(by_name[name][0], path, name)


def _unindexed(image: Path, labels: Path, name: str) -> LabelledItem:
    return LabelledItem(image, labels, UNNAMED_KIND, SEMANTIC, {}, name)


def _by_stem(folder: Path) -> dict[str, Path]:
    """Name a folder's entries without their suffixes, in order.

    Raises
    ------
    InvalidDataset
        Two entries that differ in the suffix alone.
    """
    found: dict[str, Path] = {}
    for path in _entries(folder):
        name = _stem(path)
        if name in found:
            raise InvalidDataset(f"{found[name]} and {path} have one name; keep one of them")
        found[name] = path
    return found


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _stem(path: Path) -> str:
    """Return a file's name without its suffix, ``.nii.gz`` counting as one; a folder's whole name."""
    if path.is_dir():
        return path.name
    suffix = next((end for end in _DOUBLE_SUFFIXES if path.name.lower().endswith(end)), path.suffix)
    return path.name[: len(path.name) - len(suffix)]
