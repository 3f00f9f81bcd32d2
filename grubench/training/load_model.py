"""Load a run's model: built from the run's spec, with the weights of its file, which is untrusted."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import replace
from typing import IO, TYPE_CHECKING

from grubench.backends.machine import count_memory_bytes
from grubench.errors import RunError
from grubench.spec.parameter_count import count_parameters
from grubench.text import list_names, quote

if TYPE_CHECKING:
    from pathlib import Path

    import h5py
    import keras

    from grubench.data.windows import Windows
    from grubench.runs.run import Run
    from grubench.spec.experiment import Experiment

# What a model file of Keras holds. The weights alone are read: code in the configuration does not matter.
WEIGHTS = "model.weights.h5"
PARTS = ("metadata.json", "config.json", WEIGHTS)
WEIGHT_BYTES = 4
# Where the header of a part in a zip file has the length of its name, and behind it that of what else it says.
NAME_LENGTH_PLACE = 26
# The weights and as many values of the optimizer three times over, as AMSGrad has; names and settings of each layer.
MAX_COPIES = 4
MAX_LAYER_BYTES = 2**17
MAX_OTHER_BYTES = 2**20
# The group of the optimizer's variables, which are not read.
OPTIMIZER = "optimizer"
# Groups and arrays in the weights of a layer, and in the optimizer: twelve variables, three copies.
MAX_LAYER_OBJECTS = 64


def load_model(run: Run, windows: Windows) -> keras.Model:
    """The run's Keras model: its spec says which layers it has, the file gives them weights.

    Args:
        run: The run.
        windows: The windows to forecast, which decide the shapes of its inputs and outputs.

    Raises:
        RunError: It cannot be loaded, or does not fit the spec and the windows.
    """
    path = run.folder / "model.keras"
    try:
        _check_size(path, run.experiment)
        start = _find_weights(path)
        model = _build(run.experiment, windows)
        with path.open("rb") as file:
            _check_weights(_Part(file, start), model)
        model.load_weights(path)
    except Exception as error:  # a damaged file can fail anywhere in zipfile, h5py and Keras
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise RunError(
            f"{path} cannot be loaded: {reason}", "It has to hold the weights of the model in experiment.toml."
        ) from error
    return model


def _build(spec: Experiment, windows: Windows) -> keras.Model:
    """The model of a spec, its weights 0: those of the file replace them, and others take long to draw."""
    from grubench.backends.loader import backend

    backend().set_up_devices()
    from grubench.training.kernel_check import plan_kernels
    from grubench.training.model import build_stack
    from grubench.training.precision import layer_precision

    spec = replace(spec, model=replace(spec.model, kernel_initializer="zeros", recurrent_initializer="zeros"))
    with layer_precision(spec):
        return build_stack(spec, windows.lookback, windows.feature, windows.outputs, plan_kernels(spec))


def _check_size(path: Path, spec: Experiment) -> None:
    """Refuse a file that is too small or too large for the spec's model, before either takes memory.

    Raises:
        ValueError: It is.
    """
    size, weights = path.stat().st_size, WEIGHT_BYTES * count_parameters(spec)
    most = MAX_COPIES * weights + MAX_LAYER_BYTES * len(spec.model.layers) + MAX_OTHER_BYTES
    if not weights <= size <= most:
        raise ValueError(f"it has {size:,} bytes, and the model in experiment.toml takes {weights:,} to {most:,}")
    memory = count_memory_bytes()
    if memory is not None and 2 * weights > memory:  # the model, and what is read of the file
        raise ValueError(f"its model takes {2 * weights:,} bytes of memory, and this machine has {memory:,}")


class _Part(io.RawIOBase):
    """The rest of a file from a place on, as a file of its own; nothing of it is read before it is asked for."""

    def __init__(self, file: IO[bytes], start: int) -> None:
        super().__init__()
        self._file, self._start = file, start
        self._file.seek(start)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from any place."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        offset += self._start if whence == io.SEEK_SET else 0
        return self._file.seek(offset, whence) - self._start

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read from that place on."""
        return self._file.readinto(buffer)  # type: ignore[attr-defined, no-any-return]


def _find_weights(path: Path) -> int:
    """Where the part of the file begins that holds the weights.

    Raises:
        ValueError: The file is no model of Keras, or says other sizes than it has.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if sorted(entry.filename for entry in entries) != sorted(PARTS):
            raise ValueError(f"it holds {list_names(entry.filename for entry in entries)} and not {', '.join(PARTS)}")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):  # so that nothing in it can swell
            raise ValueError("its parts are compressed, which Keras does not do")
        if any(entry.file_size != entry.compress_size for entry in entries) or (
            sum(entry.file_size for entry in entries) > path.stat().st_size
        ):
            raise ValueError("its parts say more bytes than it has")
        with archive.open(WEIGHTS):  # checks the header before the part
            header = archive.getinfo(WEIGHTS).header_offset
    with path.open("rb") as file:
        file.seek(header + NAME_LENGTH_PLACE)
        name_bytes, extra_bytes = struct.unpack("<HH", file.read(4))
        return file.tell() + int(name_bytes) + int(extra_bytes)


def _check_weights(content: io.RawIOBase, model: keras.Model) -> None:
    """Refuse weights that Keras would take memory for and that are not the model's, before it reads them.

    Raises:
        ValueError: There are other arrays than the model's, or they lie elsewhere.
    """
    import h5py

    shapes = {tuple(variable.shape) for variable in model.variables}
    most = MAX_LAYER_OBJECTS * len(model.layers)
    with h5py.File(content, "r") as file:
        left: list[h5py.Group] = [file]
        seen = 0
        while left:
            group = left.pop()
            seen += len(group)
            if seen > most:
                raise ValueError(f"it holds more than {most:,} groups and arrays of weights")
            for name in group:
                member = _read_member(group, name)
                if isinstance(member, h5py.Dataset):
                    _check_array(member, shapes)
                elif member.name != f"/{OPTIMIZER}":
                    left.append(member)


def _read_member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """A group or an array in a group, unless it is a link to something else."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{quote(name)} in its weights is a link")
    member = group[name]
    if not isinstance(member, h5py.Group | h5py.Dataset):
        raise ValueError(f"{quote(name)} in its weights is neither a group nor an array")
    return member


def _check_array(array: h5py.Dataset, shapes: set[tuple[int, ...]]) -> None:
    """An array has a shape that the model needs, and lies in the file as it is: chunks may swell."""
    if array.shape not in shapes:
        raise ValueError(f"it holds weights of shape {array.shape}, and the model in experiment.toml has none such")
    if array.chunks or array.is_virtual or array.external or array.dtype.kind not in "fiu":
        raise ValueError(f"its weights {quote(array.name)} are not plain numbers in the file itself")
