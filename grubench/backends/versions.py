"""The installed versions of what decides a result."""

from __future__ import annotations

import platform
from importlib import metadata

from grubench.spec.backends import BACKENDS

PACKAGES = ("grubench", "keras", "numpy", "pandas")


def list_versions(backend: str) -> dict[str, str]:
    """The installed version of Python and of each package that decides a result on a backend."""
    required = (*PACKAGES, *BACKENDS[backend].packages)
    optional = [package for package in BACKENDS[backend].cuda_packages if find_version(package)]
    packages = {package: find_version(package) or "absent" for package in (*required, *optional)}
    return {"python": platform.python_version()} | packages


def find_version(package: str) -> str:
    """The installed version of a package; empty where there is none of that name."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
