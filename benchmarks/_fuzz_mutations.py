"""Ways to damage a file: its bytes, and the numbers and words of its header where its format is known."""

from __future__ import annotations

import gzip
import io
import math
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from random import Random

Mutation = Callable[[bytes, Random], tuple[bytes, str]]

_WHOLE = (0, 1, -1, 2, 3, 7, 17, 255, 256, 32767, 32768, -32768, 65535, 65536, 2**24, 2**31 - 1, -(2**31),
          2**32 - 1, 2**40, 2**63 - 1, -(2**63))  # fmt: skip
_REAL = (0.0, -0.0, -1.0, 1e-30, 1e-300, 1e30, -1e30, 3.4e38, 1e308, math.nan, math.inf, -math.inf)
_WORDS = ("nan", "inf", "-inf", "1e400", "-5", "0", "00", "99999999999999999999", "4294967296", "1e9", "0x10", "",
          "x", "0.0000001", "-0", "2147483647", "1 1", "#", "[]", "null", "é", "\x00")  # fmt: skip
_NIFTI_1 = (*((40 + 2 * i, "h") for i in range(8)), (70, "h"), (72, "h"), *((76 + 4 * i, "f") for i in range(8)),
            (108, "f"), (112, "f"), (116, "f"), (123, "B"), (252, "h"), (254, "h"), (40, "h"), (344, "i"),
            *((256 + 4 * i, "f") for i in range(18)))  # fmt: skip
_NIFTI_2 = ((4, "q"), (12, "h"), (14, "h"), *((16 + 8 * i, "q") for i in range(8)),
            *((104 + 8 * i, "d") for i in range(8)), (168, "q"), (176, "d"), (184, "d"), (344, "i"), (348, "i"),
            *((352 + 8 * i, "d") for i in range(18)), (500, "i"))  # fmt: skip
_MGH = (*((4 * i, "i") for i in range(7)), (28, "h"), *((30 + 4 * i, "f") for i in range(15)))
_HEAD_BYTES = 4096


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


def truncate(content: bytes, random: Random) -> tuple[bytes, str]:
    """Cut the end off."""
    length = random.randrange(len(content)) if content else 0
    return content[:length], f"cut to {length} of {len(content)} bytes"


def flip_bits(content: bytes, random: Random) -> tuple[bytes, str]:
    """Turn one to sixteen bits round, half of the time in the head."""
    changed = bytearray(content or b"\0")
    room = min(len(changed), _HEAD_BYTES if random.random() < 0.5 else len(changed))
    places = [random.randrange(room) for _ in range(random.choice((1, 2, 4, 16)))]
    for place in places:
        changed[place] ^= 1 << random.randrange(8)
    return bytes(changed), f"bits flipped at {places}"


def overwrite(content: bytes, random: Random) -> tuple[bytes, str]:
    """Fill a run of bytes with zeros, ones or noise."""
    start, stop = _run(content, random)
    kind = random.choice(("zeros", "ones", "noise"))
    filling = {"zeros": b"\0", "ones": b"\xff"}.get(kind)
    run = filling * (stop - start) if filling else random.randbytes(stop - start)
    return content[:start] + run + content[stop:], f"{kind} in {start}:{stop}"


def delete(content: bytes, random: Random) -> tuple[bytes, str]:
    """Take a run of bytes out."""
    start, stop = _run(content, random)
    return content[:start] + content[stop:], f"{start}:{stop} deleted"


def duplicate(content: bytes, random: Random) -> tuple[bytes, str]:
    """Have a run of bytes twice."""
    start, stop = _run(content, random)
    return content[:stop] + content[start:], f"{start}:{stop} twice"


def swap(content: bytes, random: Random) -> tuple[bytes, str]:
    """Exchange two neighbouring runs."""
    start, stop = _run(content, random)
    end = min(len(content), 2 * stop - start)
    return content[:start] + content[stop:end] + content[start:stop] + content[end:], f"{start}:{stop} moved on"


def number_anywhere(content: bytes, random: Random) -> tuple[bytes, str]:
    """Write a number where the head may hold one, or near the end, where zip and others keep theirs."""
    form = random.choice("hiqfd")
    room = max(1, min(len(content), 512) - struct.calcsize(form))
    place = random.randrange(room)
    if random.random() < 0.2:
        place = max(0, len(content) - place - struct.calcsize(form))
    return _with_number(content, place, random.choice("<>") + form, random)


BLIND: tuple[Mutation, ...] = (truncate, flip_bits, flip_bits, overwrite, delete, duplicate, swap, number_anywhere)


def _run(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(max(1, len(content)))
    return start, min(len(content), start + random.choice((1, 2, 4, 16, 100, 1000)))


def _with_number(content: bytes, place: int, form: str, random: Random) -> tuple[bytes, str]:
    """Write an odd number of a struct's form over what is there."""
    size = struct.calcsize(form)
    kept = bytearray(content.ljust(place + size, b"\0"))
    if form[-1] in "fd":
        value = random.choice(_REAL)
        packed = struct.pack(form, value if form[-1] == "d" or abs(value) < 3.5e38 or value != value else math.inf)
        kept[place : place + size] = packed
        return bytes(kept), f"{value} as {form} at {place}"
    old = int.from_bytes(kept[place : place + size], "big" if form[0] == ">" else "little")
    whole = random.choice((*_WHOLE, old + 1, old - 1, 2 * old, old * 1000)) % (1 << 8 * size)
    kept[place : place + size] = whole.to_bytes(size, "big" if form[0] == ">" else "little")
    return bytes(kept), f"{whole} as {form} at {place}"


def _aware_of(content: bytes) -> tuple[Mutation, ...]:
    """Return the changes that know the content's format."""
    tests: tuple[tuple[bool, tuple[Mutation, ...]], ...] = (
        (content[:2] == b"\x1f\x8b", (inside_gzip,)),
        (content[128:132] == b"DICM" or content[:2] in (b"\x08\0", b"\x02\0"), (dicom_value, dicom_value, dicom_bytes)),
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


def nifti_field(content: bytes, random: Random) -> tuple[bytes, str]:
    """Write an odd number into a field of a NIfTI or Analyze header."""
    order = "<" if content[0] else ">"
    is_second = content[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c")
    place, form = random.choice(_NIFTI_2 if is_second else _NIFTI_1)
    return _with_number(content, place, order + form, random)


def mgh_field(content: bytes, random: Random) -> tuple[bytes, str]:
    """Write an odd number into a field of an MGH header."""
    place, form = random.choice(_MGH)
    return _with_number(content, place, ">" + form, random)


def text_number(content: bytes, random: Random) -> tuple[bytes, str]:
    """Replace a number in a header that is text."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", content[:_HEAD_BYTES]))
    one = random.choice(found)
    word = random.choice((*_WORDS, *map(str, _WHOLE)))
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
        fields = ((0, "h"), (2, "h"), (4, "q"), (12, "q")) if is_big else ((0, "h"), (2, "h"), (4, "i"), (8, "i"))
        at, form = random.choice(fields)
    changed, words = _with_number(content, start + at, order + form, random)
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
        kept[at : at + 4] = (random.choice(_WHOLE) % 2**32).to_bytes(4, "big")
    elif length:
        kept[place + 8 + random.randrange(length)] = random.randrange(256)
    kept[place + 8 + length : place + 12 + length] = zlib.crc32(kept[place + 4 : place + 8 + length]).to_bytes(4, "big")
    return bytes(kept), f"PNG chunk at {place} changed soundly"


def box_length(content: bytes, random: Random) -> tuple[bytes, str]:
    """Write an odd number next to a four-letter name in a film."""
    names = [one.start() for one in re.finditer(rb"[a-z][a-z0-9]{3}", content)][:400]
    place = max(0, random.choice(names) + random.choice((-4, 4, 8, 12, 16, 20)))
    return _with_number(content, place, (">" if content[4:8] == b"ftyp" else "<") + "i", random)


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


def dicom_bytes(content: bytes, random: Random) -> tuple[bytes, str]:
    """Change the length, the VR or bytes of the value of one element, in place."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    elements = [one for one in dataset.iterall() if getattr(one, "file_tell", None)]
    element = random.choice(elements)
    place = int(element.file_tell)
    kind = random.choice(("length", "VR", "value"))
    if kind == "length":
        changed, words = _with_number(content, place - 4, "<i" if random.random() < 0.5 else "<h", random)
    elif kind == "VR":
        letters = random.choice((b"SQ", b"UN", b"OB", b"OW", b"US", b"DS", b"IS", b"FD", b"ZZ", b"\0\0", b"UT"))
        at = place - random.choice((4, 8))
        changed, words = content[:at] + letters + content[at + 2 :], f"{letters!r} at {at}"
    else:
        run = random.randbytes(random.choice((1, 2, 8)))
        changed, words = content[:place] + run + content[place + len(run) :], f"{run!r} at {place}"
    return changed, f"{element.keyword or element.tag} {kind}: {words}"


def dicom_value(content: bytes, random: Random) -> tuple[bytes, str]:
    """Delete an element, or give it an odd value, and write the file soundly."""
    import pydicom

    from benchmarks._fuzz_dicom_values import odd_value

    dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    places = [(owner, one) for owner in _owners(dataset) for one in owner]
    telling = [one for one in places if one[1].tag.group in (0x0028, 0x0020, 0x0018, 0x3006, 0x0062, 0x5200, 0x0004)]
    owner, element = random.choice(telling if telling and random.random() < 0.75 else places)
    words = odd_value(owner, element, random)
    target = io.BytesIO()
    pydicom.dcmwrite(target, dataset, enforce_file_format=False)
    return target.getvalue(), words


def _owners(dataset: object) -> list:  # type: ignore[type-arg]
    """Return the data set, its file meta information, and the items of its sequences."""
    found = [dataset] + ([dataset.file_meta] if getattr(dataset, "file_meta", None) else [])
    for owner in found:
        for element in owner:  # type: ignore[attr-defined]
            if element.VR == "SQ":
                found.extend(element.value or ())
    return found
