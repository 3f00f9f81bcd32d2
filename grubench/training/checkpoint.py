"""Checkpoints: what a trial needs to be resumed after its process was killed, in one file, written atomically.

Weights, the state of the optimizer and of the random generators, the record of the fit, and what early stopping knows.
The order of the windows needs nothing: the seed and the epoch decide it. A trial that is resumed ends with the weights
of one that was never stopped.
"""

from __future__ import annotations

import io
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import msgspec
import numpy as np

from grubench.backends.loader import backend
from grubench.runs import atomic, locks
from grubench.training.early_stopping import EarlyStopping, EarlyStoppingState
from grubench.training.fit_record import FitRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# The entry of the file that is JSON; the others are arrays.
STATE = "state"
# What reading a damaged file raises.
DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, msgspec.MsgspecError),
)


class CheckpointState(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint holds beside arrays.

    Attributes:
        identity: What trial it is of, and what that ran on.
        epoch: The epoch to continue with, from 0.
        spent_s: Seconds that the trial has taken so far, in all its processes.
        record: The record of the fit.
        early_stopping: What early stopping knows; None without it.
    """

    identity: str
    epoch: int
    spent_s: float
    record: FitRecord
    early_stopping: EarlyStoppingState | None = None


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint.

    Attributes:
        state: What is not an array.
        variables: The model's variables and then the optimizer's, in their order.
        best_weights: The best weights that early stopping has seen.
        random_state: The states of the backend's own random generators, by name.
    """

    state: CheckpointState
    variables: list[NDArray[np.generic]]
    best_weights: list[NDArray[np.generic]]
    random_state: dict[str, NDArray[np.generic]]

    def fits(self, model: keras.Model) -> bool:
        """Whether it has values for every variable of a model and of its optimizer, which is built, and no others."""
        shapes = [tuple(variable.shape) for variable in _variables(model)]
        return [values.shape for values in self.variables] == shapes

    def restore(self, model: keras.Model) -> None:
        """Set the variables of a model and of its optimizer, which is built."""
        for variable, values in zip(_variables(model), self.variables, strict=True):
            variable.assign(values)


@dataclass(frozen=True, kw_only=True)
class CheckpointFile:
    """Where a trial has its checkpoint, and how often it writes one.

    Attributes:
        path: The file; None for none.
        every: Epochs between checkpoints; 0 to write none, but resume from one that exists.
        identity: What trial it is and what it runs on: a checkpoint of another is ignored.
        start_s: When this process began the trial, as `time.perf_counter` has it.
    """

    path: Path | None = None
    every: int = 0
    identity: str = ""
    start_s: float = 0.0

    def read(self) -> Checkpoint | None:
        """The checkpoint; None where there is none, or it is damaged, or of another trial or machine."""
        if self.path is None or not self.path.is_file() or self.path.is_symlink():
            return None
        try:
            arrays = _read_arrays(self.path)
            checkpoint = Checkpoint(
                state=msgspec.json.decode(arrays.pop(STATE).tobytes(), type=CheckpointState),
                variables=_select_numbered("v", arrays),
                best_weights=_select_numbered("b", arrays),
                random_state={name[1:]: values for name, values in arrays.items() if name.startswith("r")},
            )
        except DAMAGE:
            return None
        return checkpoint if checkpoint.state.identity == self.identity else None

    def write(self, checkpoint: Checkpoint) -> None:
        """Write atomically: a process that is killed meanwhile leaves the checkpoint before.

        Raises:
            RunError: It cannot be written.
        """
        if self.path is None:
            return
        arrays = {f"v{number}": values for number, values in enumerate(checkpoint.variables)}
        arrays |= {f"b{number}": values for number, values in enumerate(checkpoint.best_weights)}
        arrays |= {f"r{name}": values for name, values in checkpoint.random_state.items()}
        arrays[STATE] = np.frombuffer(msgspec.json.encode(checkpoint.state), np.uint8)
        locks.make_hidden(self.path.parent)
        remedy = "Free some space, or choose another --output."
        with atomic.write_file(self.path, remedy) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)


class WriteCheckpoints(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes a checkpoint every few epochs. It has to stand after the callbacks whose state it writes.

    Args:
        file: Where.
        record: The record of the fit.
        early_stopping: The callback of early stopping; None without it.
        resumed: The checkpoint that the fit was resumed from; None where it begins.
    """

    def __init__(
        self,
        file: CheckpointFile,
        record: FitRecord,
        early_stopping: EarlyStopping | None,
        resumed: Checkpoint | None,
    ) -> None:
        super().__init__()
        self.file, self.record, self.early_stopping, self.resumed = file, record, early_stopping, resumed

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Set the random generators: here and not before, since PyTorch's data loader has drawn meanwhile."""
        if self.resumed is not None:
            backend().set_random_state(self.resumed.random_state)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Write a checkpoint, if it is time."""
        # A fit that stops here would not know it if it was resumed from here.
        if self.file.path is None or not self.file.every or (epoch + 1) % self.file.every or self.model.stop_training:
            return
        stopping = self.early_stopping
        earlier_s = self.resumed.state.spent_s if self.resumed else 0.0
        state = CheckpointState(
            identity=self.file.identity,
            epoch=epoch + 1,
            spent_s=earlier_s + time.perf_counter() - self.file.start_s,
            record=self.record,
            early_stopping=stopping.state if stopping else None,
        )
        self.file.write(
            Checkpoint(
                state=state,
                variables=[keras.ops.convert_to_numpy(variable) for variable in _variables(self.model)],
                best_weights=stopping.best_weights if stopping else [],
                random_state=backend().random_state(),
            )
        )


def _variables(model: keras.Model) -> Iterable[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def _read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of a file of `np.savez`, by name: none takes more memory than it has bytes in the file.

    Raises:
        ValueError: It is damaged; or other errors of zipfile's.
    """
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError("its arrays are compressed")
            content = io.BytesIO(archive.read(entry))
            np.lib.format.read_magic(content)
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(content)
            values = np.frombuffer(content.read(), dtype).reshape(shape, order="F" if is_fortran else "C")
            arrays[entry.filename.removesuffix(".npy")] = values.copy()
    return arrays


def _select_numbered(letter: str, arrays: dict[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    """The arrays whose names are a letter and a number, by their numbers."""
    names = [name for name in arrays if name.startswith(letter)]
    return [arrays[name] for name in sorted(names, key=lambda name: int(name[1:]))]
