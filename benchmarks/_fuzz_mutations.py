"""Damage a file as its format suggests, or blindly."""

from __future__ import annotations

import gzip
import io
import warnings
import zipfile
from random import Random

from benchmarks._fuzz_bytes import BLIND, Mutation, flip_bits
from benchmarks._fuzz_fields import (
    box_length,
    dicom_bytes,
    dicom_value,
    json_key,
    mgh_field,
    nifti_field,
    png_chunk,
    text_line,
    text_number,
    tiff_entry,
)


def mutate(content: bytes, random: Random) -> tuple[bytes, str]:
    """Damage a file's content once to three times.

    Returns
    -------
    bytes
        The damaged content.
    str
        What was done, in words.
    """
    said = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        aware = _aware_of(content)
        change = random.choice(aware) if aware and random.random() < 0.6 else random.choice(BLIND)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                content, words = change(content, random)
        except Exception as error:  # what was damaged before may defy a change that knows the format
            content, words = flip_bits(content, random)
            words += f" (for {change.__name__}: {type(error).__name__})"
        said.append(words)
    return content, ", then ".join(said)


def _aware_of(content: bytes) -> tuple[Mutation, ...]:
    """Return the changes that know the content's format."""
    tests: tuple[tuple[bool, tuple[Mutation, ...]], ...] = (
        (content[:2] == b"\x1f\x8b", (inside_gzip,)),
        (
            content[128:132] == b"DICM" or content[:2] in (b"\x08\0", b"\x02\0"),
            (dicom_value, dicom_value, dicom_bytes),
        ),
        (content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), (tiff_entry, text_number)),
        (content[:8] == b"\x89PNG\r\n\x1a\n", (png_chunk,)),
        (content[:4] == b"PK\x03\x04", (zip_member,)),
        (content[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0", b"\0\0\x02\x1c"), (nifti_field,)),
        (content[:4] == b"\0\0\0\x01", (mgh_field,)),
        (content[:4] in (b"NRRD", b"Obje", b"NDim") or content[:6] == b"\x93NUMPY", (text_number, text_line)),
        (content[:1] in (b"{", b"["), (text_number, text_line, json_key)),
        (content[4:8] == b"ftyp" or content[:4] == b"RIFF", (box_length,)),
    )
    return next((changes for fits, changes in tests if fits), ())


def inside_gzip(content: bytes, random: Random) -> tuple[bytes, str]:
    """Damage what a gzip file holds, and compress it soundly."""
    inner = gzip.decompress(content)
    aware = _aware_of(inner)
    change = random.choice(aware or BLIND)
    changed, words = change(inner, random)
    return gzip.compress(changed, 1, mtime=0), f"inside gzip: {words}"


def zip_member(content: bytes, random: Random) -> tuple[bytes, str]:
    """Damage one member of a zip, or its name, and pack it soundly."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        members = [(info.filename, packed.read(info)) for info in packed.infolist()]
    at = random.randrange(len(members))
    name, inner = members[at]
    if random.random() < 0.15:
        renamed = random.choice(("../" + name, "/" + name, name * 40, "", ".", "a\\b", "con", "é" + name))
        members[at], words = (renamed, inner), f"renamed {renamed[:30]!r}"
    else:
        changed, words = mutate(inner, random)
        members[at] = (name, changed)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, inner in members:
            packed.writestr(zipfile.ZipInfo(name or "x", (1980, 1, 1, 0, 0, 0)), inner)
    return target.getvalue(), f"member {at}: {words}"
