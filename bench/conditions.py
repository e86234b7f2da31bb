"""What a measurement was made on, to be kept with it."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mmvsolvers._versions import commit


def conditions() -> dict[str, str]:
    """Return processor, cores, load, versions, commit and date."""
    date = subprocess.run(["date", "-u", "+%Y-%m-%d"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": date,
        "commit": commit() or "",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.2f}",
        "python": platform.python_version(),
        **{package: _version(package) for package in ("numpy", "numba", "scipy", "mmvsolvers")},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
