"""What a time was measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

STATUS, FORGET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")
"""Where Linux tells a process of its memory, and where ``5`` makes it forget the peak so far."""


def machine() -> str:
    """Name this machine: processor, usable cores, memory, system, Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = f", {_memory_gib():.0f} GiB" if _memory_gib() else ""
    return (
        f"{_processor()}, {cores} cores{memory}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def load_average() -> float | None:
    """Mean number of running processes in the last minute, where the system tells; None elsewhere."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gib() -> float:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return 0.0
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def own_memory_bytes(field: str) -> int:
    """Return a field of this process's memory (``VmRSS``, ``VmHWM`` …) in bytes; 0 where none tells it."""
    if not STATUS.exists():
        return 0
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024
