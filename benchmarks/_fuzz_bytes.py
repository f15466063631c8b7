"""Ways to damage bytes of which nothing is known."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from random import Random

Mutation = Callable[[bytes, Random], tuple[bytes, str]]

WHOLE = (0, 1, -1, 2, 3, 7, 17, 255, 256, 32767, 32768, -32768, 65535, 65536, 2**24, 2**31 - 1, -(2**31),
          2**32 - 1, 2**40, 2**63 - 1, -(2**63))  # fmt: skip
_REAL = (0.0, -0.0, -1.0, 1e-30, 1e-300, 1e30, -1e30, 3.4e38, 1e308, math.nan, math.inf, -math.inf)
HEAD_BYTES = 4096


def truncate(content: bytes, random: Random) -> tuple[bytes, str]:
    """Cut the end off."""
    length = random.randrange(len(content)) if content else 0
    return content[:length], f"cut to {length} of {len(content)} bytes"


def flip_bits(content: bytes, random: Random) -> tuple[bytes, str]:
    """Turn one to sixteen bits round, half of the time in the head."""
    changed = bytearray(content or b"\0")
    room = min(len(changed), HEAD_BYTES if random.random() < 0.5 else len(changed))
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
    return content[:start] + content[stop:end] + content[start:stop] + content[
        end:
    ], f"{start}:{stop} moved on"


def number_anywhere(content: bytes, random: Random) -> tuple[bytes, str]:
    """Write a number where the head may hold one, or near the end, where zip and others keep theirs."""
    form = random.choice("hiqfd")
    room = max(1, min(len(content), 512) - struct.calcsize(form))
    place = random.randrange(room)
    if random.random() < 0.2:
        place = max(0, len(content) - place - struct.calcsize(form))
    return with_number(content, place, random.choice("<>") + form, random)


def _run(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(max(1, len(content)))
    return start, min(len(content), start + random.choice((1, 2, 4, 16, 100, 1000)))


def with_number(content: bytes, place: int, form: str, random: Random) -> tuple[bytes, str]:
    """Write an odd number of a struct's form over what is there."""
    size = struct.calcsize(form)
    kept = bytearray(content.ljust(place + size, b"\0"))
    if form[-1] in "fd":
        value = random.choice(_REAL)
        packed = struct.pack(
            form, value if form[-1] == "d" or abs(value) < 3.5e38 or value != value else math.inf
        )
        kept[place : place + size] = packed
        return bytes(kept), f"{value} as {form} at {place}"
    old = int.from_bytes(kept[place : place + size], "big" if form[0] == ">" else "little")
    whole = random.choice((*WHOLE, old + 1, old - 1, 2 * old, old * 1000)) % (1 << 8 * size)
    kept[place : place + size] = whole.to_bytes(size, "big" if form[0] == ">" else "little")
    return bytes(kept), f"{whole} as {form} at {place}"


BLIND: tuple[Mutation, ...] = (
    truncate,
    flip_bits,
    flip_bits,
    overwrite,
    delete,
    duplicate,
    swap,
    number_anywhere,
)
