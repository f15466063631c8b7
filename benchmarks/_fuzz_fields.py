"""Ways to damage the numbers and words of a header whose format is known."""

from __future__ import annotations

import io
import re
import struct
import zlib
from random import Random
from typing import Any

from benchmarks._fuzz_bytes import HEAD_BYTES, WHOLE, with_number
from benchmarks._fuzz_dicom_values import odd_value

_WORDS = (
    "nan", "inf", "-inf", "1e400", "-5", "0", "00", "99999999999999999999", "4294967296", "1e9", "0x10", "",
    "x", "0.0000001", "-0", "2147483647", "1 1", "#", "[]", "null", "é", "\x00",
)  # fmt: skip
_NIFTI_1 = (
    *((40 + 2 * i, "h") for i in range(8)), (70, "h"), (72, "h"), *((76 + 4 * i, "f") for i in range(8)),
    (108, "f"), (112, "f"), (116, "f"), (123, "B"), (252, "h"), (254, "h"), (40, "h"), (344, "i"),
    *((256 + 4 * i, "f") for i in range(18)),
)  # fmt: skip
_NIFTI_2 = (
    (4, "q"), (12, "h"), (14, "h"), *((16 + 8 * i, "q") for i in range(8)),
    *((104 + 8 * i, "d") for i in range(8)), (168, "q"), (176, "d"), (184, "d"), (344, "i"), (348, "i"),
    *((352 + 8 * i, "d") for i in range(18)), (500, "i"),
)  # fmt: skip
_MGH = (*((4 * i, "i") for i in range(7)), (28, "h"), *((30 + 4 * i, "f") for i in range(15)))


def nifti_field(content: bytes, random: Random) -> tuple[bytes, str]:
    """Write an odd number into a field of a NIfTI or Analyze header."""
    order = "<" if content[0] else ">"
    is_second = content[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c")
    place, form = random.choice(_NIFTI_2 if is_second else _NIFTI_1)
    return with_number(content, place, order + form, random)


def mgh_field(content: bytes, random: Random) -> tuple[bytes, str]:
    """Write an odd number into a field of an MGH header."""
    place, form = random.choice(_MGH)
    return with_number(content, place, ">" + form, random)


def text_number(content: bytes, random: Random) -> tuple[bytes, str]:
    """Replace a number in a header that is text."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", content[:HEAD_BYTES]))
    one = random.choice(found)
    word = random.choice((*_WORDS, *map(str, WHOLE)))
    return content[: one.start()] + word.encode() + content[one.end() :], f"{one.group()!r} became {word!r}"


def text_line(content: bytes, random: Random) -> tuple[bytes, str]:
    """Take out, double or exchange lines of a header that is text."""
    lines = content.split(b"\n")
    at = random.randrange(min(len(lines), 40))
    kind = random.choice(("without", "twice", "moved to the front"))
    if kind == "twice":
        lines.insert(at, lines[at])
    else:
        line = lines.pop(at)
        lines[:0] = [line] if kind != "without" else []
    return b"\n".join(lines), f"line {at} {kind}"


def json_key(content: bytes, random: Random) -> tuple[bytes, str]:
    """Rename a key, or replace a text, in a JSON file."""
    one = random.choice(list(re.finditer(rb'"[^"]*"', content)))
    word = random.choice((b'""', b"null", b'"x"', b"{}", b"[]", b"7", b'"../../../etc"'))
    return content[: one.start()] + word + content[one.end() :], f"{one.group()!r} became {word!r}"


def tiff_entry(content: bytes, random: Random) -> tuple[bytes, str]:
    """Change a tag, type, count, value or the next directory's offset in a TIFF file."""
    order = "<" if content[:2] == b"II" else ">"
    is_big = content[2 if order == "<" else 3] == 43
    place = struct.unpack_from(order + ("Q" if is_big else "I"), content, 8 if is_big else 4)[0]
    count_form, entry_bytes, head = ("Q", 20, 8) if is_big else ("H", 12, 2)
    n_entries = struct.unpack_from(order + count_form, content, place)[0]
    entry = random.randrange(n_entries + 1)
    start = place + head + entry * entry_bytes
    if entry == n_entries:
        form, at = ("q" if is_big else "i"), 0
    else:
        fields = (
            ((0, "h"), (2, "h"), (4, "q"), (12, "q")) if is_big else ((0, "h"), (2, "h"), (4, "i"), (8, "i"))
        )
        at, form = random.choice(fields)
    changed, words = with_number(content, start + at, order + form, random)
    return changed, f"IFD entry {entry}: {words}"


def png_chunk(content: bytes, random: Random) -> tuple[bytes, str]:
    """Change a byte or the size in a PNG chunk, and mend its checksum."""
    place, chunks = 8, []
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        chunks.append((place, length))
        place += 12 + length
    place, length = random.choice([chunks[0], chunks[0], random.choice(chunks)])
    kept = bytearray(content)
    if place == 8 and random.random() < 0.7:
        at = place + 8 + random.choice((0, 4))
        kept[at : at + 4] = (random.choice(WHOLE) % 2**32).to_bytes(4, "big")
    elif length:
        kept[place + 8 + random.randrange(length)] = random.randrange(256)
    kept[place + 8 + length : place + 12 + length] = zlib.crc32(
        kept[place + 4 : place + 8 + length]
    ).to_bytes(4, "big")
    return bytes(kept), f"PNG chunk at {place} changed soundly"


def box_length(content: bytes, random: Random) -> tuple[bytes, str]:
    """Write an odd number next to a four-letter name in a film."""
    names = [one.start() for one in re.finditer(rb"[a-z][a-z0-9]{3}", content)][:400]
    place = max(0, random.choice(names) + random.choice((-4, 4, 8, 12, 16, 20)))
    return with_number(content, place, (">" if content[4:8] == b"ftyp" else "<") + "i", random)


def dicom_bytes(content: bytes, random: Random) -> tuple[bytes, str]:
    """Change the length, the VR or bytes of the value of one element, in place."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    elements = [one for one in dataset.iterall() if getattr(one, "file_tell", None)]
    element = random.choice(elements)
    place = int(element.file_tell)
    kind = random.choice(("length", "VR", "value"))
    if kind == "length":
        changed, words = with_number(content, place - 4, "<i" if random.random() < 0.5 else "<h", random)
    elif kind == "VR":
        letters = random.choice(
            (b"SQ", b"UN", b"OB", b"OW", b"US", b"DS", b"IS", b"FD", b"ZZ", b"\0\0", b"UT")
        )
        at = place - random.choice((4, 8))
        changed, words = content[:at] + letters + content[at + 2 :], f"{letters!r} at {at}"
    else:
        run = random.randbytes(random.choice((1, 2, 8)))
        changed, words = content[:place] + run + content[place + len(run) :], f"{run!r} at {place}"
    return changed, f"{element.keyword or element.tag} {kind}: {words}"


def dicom_value(content: bytes, random: Random) -> tuple[bytes, str]:
    """Delete an element, or give it an odd value, and write the file soundly."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    places = [(owner, one) for owner in _owners(dataset) for one in owner]
    telling = [
        one for one in places if one[1].tag.group in (0x0028, 0x0020, 0x0018, 0x3006, 0x0062, 0x5200, 0x0004)
    ]
    owner, element = random.choice(telling if telling and random.random() < 0.75 else places)
    words = odd_value(owner, element, random)
    target = io.BytesIO()
    pydicom.dcmwrite(target, dataset, enforce_file_format=False)
    return target.getvalue(), words


def _owners(dataset: Any) -> list[Any]:
    """Return the data set, its file meta information, and the items of its sequences."""
    found = [dataset] + ([dataset.file_meta] if getattr(dataset, "file_meta", None) else [])
    for owner in found:
        for element in owner:
            if element.VR == "SQ":
                found.extend(element.value or ())
    return found
