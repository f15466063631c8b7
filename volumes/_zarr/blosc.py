"""Blosc that looks at the length of a chunk first.

The library trusts the length in a chunk's own header, and reads beyond the end of one that is cut off.
"""

from __future__ import annotations

import struct
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import zarr

__all__ = ["check_blosc", "with_checked_blosc"]

_HEADER_BYTES = 16


def check_blosc(n_bytes: int, head: bytes, most_bytes: int | None = None) -> None:
    """Raise ValueError where a chunk is shorter than it says, or claims more than it should hold.

    Parameters
    ----------
    n_bytes : int
        Length of the chunk.
    head : bytes
        Its first 16 bytes.
    most_bytes : int, optional
        What it can decode to at most.
    """
    if n_bytes < _HEADER_BYTES:
        raise ValueError(f"a chunk of {n_bytes} bytes is too short for blosc")
    decoded_bytes, _, stored_bytes = struct.unpack("<III", head[4:16])
    if stored_bytes != n_bytes:
        raise ValueError(f"a chunk says it has {stored_bytes} bytes, and has {n_bytes}")
    if most_bytes is not None and decoded_bytes > most_bytes:
        raise ValueError(f"a chunk says it holds {decoded_bytes} bytes, and {most_bytes} fit")


def with_checked_blosc(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """Return the same array, whose chunks are looked at before blosc decodes them."""
    import zarr

    inner = array.async_array
    metadata: Any = inner.metadata
    name = "compressor" if metadata.zarr_format == 2 else "codecs"
    before = getattr(metadata, name)
    after = _checked_old(metadata, array.dtype.itemsize) if metadata.zarr_format == 2 else _checked(before)
    if after is before:
        return array
    changed = _with(metadata, name, after)
    return zarr.Array(zarr.AsyncArray(metadata=changed, store_path=inner.store_path, config=inner.config))


def _with(frozen: Any, name: str, value: Any) -> Any:
    """Return a copy of a frozen value with another field."""
    changed = copy(frozen)
    object.__setattr__(changed, name, value)
    return changed


def _checked_old(metadata: Any, itemsize: int) -> Any:
    """Return the compressor of Zarr 2's metadata, or blosc that checks in its place."""
    import numcodecs

    class CheckedBlosc(numcodecs.Blosc):  # type: ignore[misc]
        """Blosc that looks at the length of a chunk first."""

        def decode(self, buf: Any, out: Any = None) -> Any:
            content = np.frombuffer(buf, np.uint8)
            check_blosc(content.size, content[:_HEADER_BYTES].tobytes(), most_bytes)
            return super().decode(buf, out)

    if not isinstance(metadata.compressor, numcodecs.Blosc):
        return metadata.compressor
    most_bytes = int(np.prod(metadata.chunks, dtype=np.float64)) * itemsize
    config = {key: value for key, value in metadata.compressor.get_config().items() if key != "id"}
    return CheckedBlosc(**config)


def _checked(codecs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return codecs of Zarr 3, with blosc that checks, inside shards too."""
    from zarr.codecs import BloscCodec, ShardingCodec

    class CheckedBloscCodec(BloscCodec):
        """Blosc that looks at the length of a chunk first."""

        async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
            content = chunk_bytes.to_bytes()
            check_blosc(len(content), content[:_HEADER_BYTES])
            return await super()._decode_single(chunk_bytes, chunk_spec)

    def checked(codec: Any) -> Any:
        if isinstance(codec, BloscCodec):
            settings: Any = codec.to_dict()["configuration"]
            return CheckedBloscCodec(**settings)
        if isinstance(codec, ShardingCodec):
            inside = _checked(codec.codecs)
            return codec if inside is codec.codecs else _with(codec, "codecs", inside)
        return codec

    changed = [checked(codec) for codec in codecs]
    same = all(one is other for one, other in zip(changed, codecs, strict=True))
    return codecs if same else tuple(changed)
