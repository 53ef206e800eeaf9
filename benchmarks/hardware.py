"""The hardware a benchmark runs on."""

import os

from etram_pipeline.core.machine import processor_name


def describe_cpu() -> str:
    """Name of the processor, if the system reports it, and its number of cores."""
    return f"{processor_name()}, {os.cpu_count()} cores"
