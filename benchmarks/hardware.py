"""The hardware a benchmark runs on."""

import os
import platform
from pathlib import Path


def describe_cpu() -> str:
    """Name of the processor, if the system reports it, and its number of cores."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or "unknown processor"
    return f"{name}, {os.cpu_count()} cores"
