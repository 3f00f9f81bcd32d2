"""The files of a dataset: from the folder in GRUBENCH_DATA_DIR, the user's cache, or its publisher."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from grubench.data.input_files import measure_file
from grubench.errors import DataError

if TYPE_CHECKING:
    from grubench.data.datasets.catalog import Source

VARIABLE = "GRUBENCH_DATA_DIR"
# No file of the catalog comes near it; a server that sends without end is cut off.
MAX_BYTES = 2**28
TIMEOUT_S = 30


def cache_folder() -> Path:
    """The folder that downloads go to."""
    from platformdirs import user_cache_path

    return user_cache_path("grubench")


def list_folders() -> list[Path]:
    """Where files are looked for: GRUBENCH_DATA_DIR if set, then the user's cache."""
    own = os.environ.get(VARIABLE)
    return [Path(own), cache_folder()] if own else [cache_folder()]


def find_local_files(source: Source) -> list[Path] | None:
    """The dataset's files if all of them are on this machine, unchecked; otherwise None."""
    for folder in list_folders():
        paths = [folder / source.name / name for name in source.files]
        if all(path.exists() for path in paths):
            return paths
    return None


def fetch(source: Source) -> list[Path]:
    """The paths of a dataset's files, downloaded if need be, each with the right checksum.

    Raises:
        DataError: A file is damaged, or absent and could not be downloaded.
    """
    paths = [] if source.is_generated else find_local_files(source)
    if paths is None:
        return [_download(source, name) for name in source.files]
    for path in paths:
        _verify(path, source.files[path.name])
    return paths


def _verify(path: Path, expected: str) -> None:
    import hashlib

    size = measure_file(path, VARIABLE)
    if size > MAX_BYTES:
        raise DataError(
            f"{path} has {size:,} bytes: it is another file.", "Remove it; the next call downloads it again."
        )
    try:
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", "Fix its permissions, or remove it.") from error
    if actual != expected:
        raise DataError(
            f"{path} is damaged or another version: its SHA-256 is {actual}, expected {expected}.",
            "Remove the file; the next call downloads it again.",
        )


def _download(source: Source, name: str) -> Path:
    import pooch
    import requests

    folder = cache_folder() / source.name
    url = source.url + name
    remedy = (
        f"Download {', '.join(source.files)} from {source.url} and put them into {folder}, or into a folder "
        f"{source.name} below the one that {VARIABLE} names."
    )
    try:
        # pooch writes to a temporary file, checks the hash, and renames it: no partial file stays behind.
        pooch.retrieve(url, known_hash=f"sha256:{source.files[name]}", fname=name, path=folder, downloader=_get)
    except requests.exceptions.InvalidSchema as error:
        raise DataError(f"{url} is or redirects to a non-HTTPS URL ({error}): it is not fetched.", remedy) from error
    except (OSError, requests.RequestException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DataError(
            f"The dataset {source.name} is not on this machine, and {url} could not be downloaded ({reason}).",
            remedy,
        ) from error
    except ValueError as error:
        raise DataError(
            f"The download of {url} is damaged: {error}", "Try again; if it stays so, the publisher's file has changed."
        ) from error
    return folder / name


def _get(url: str, output: str, _: object) -> None:
    """Download a file for pooch, over HTTPS alone, also after redirects."""
    import requests

    with requests.Session() as session:
        session.adapters.pop("http://")  # so that only HTTPS can be fetched
        with session.get(url, stream=True, timeout=TIMEOUT_S) as response, Path(output).open("wb") as file:
            response.raise_for_status()
            for block in response.iter_content(2**20):
                file.write(block)
                if file.tell() > MAX_BYTES:
                    raise ValueError(f"it has more than {MAX_BYTES:,} bytes.")
