"""Peak memory of one encoder, in a process of its own: ``python -m benchmarks._peak ours b``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from benchmarks._machine import FORGET_PEAK, own_memory_bytes
from benchmarks._published import SIZES, build_ours, build_reference_encoder, fill, reference_networks


def main() -> int:
    """Print bytes in memory with the model loaded, and at most while it encodes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks._peak", description=__doc__)
    parser.add_argument("whose", choices=("ours", "theirs"))
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("--reference", type=Path)
    options = parser.parse_args()
    if not FORGET_PEAK.exists():
        print("peak memory is read from /proc, which this system does not have", file=sys.stderr)
        return 2
    size = SIZES[options.size]
    if options.whose == "ours":
        encoder = build_ours(size).image_encoder
    else:
        encoder = build_reference_encoder(reference_networks(options.reference), size)
    fill(encoder)
    with torch.inference_mode():
        encoder.patch_embed(torch.zeros(1, 3, 1024, 1024))  # torch's own libraries and threads are loaded
        pixels = torch.rand(1, 3, 1024, 1024)
        loaded_bytes = own_memory_bytes("VmRSS")
        FORGET_PEAK.write_text("5")  # the peak so far
        encoder(pixels)
    print(json.dumps({"loaded_bytes": loaded_bytes, "peak_bytes": own_memory_bytes("VmHWM")}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
