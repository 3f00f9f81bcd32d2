"""What a trial needs to go on after its process is gone: kept every few epochs, in one file, whole or not at all.

Weights, the optimizer's state, the states of the random generators, the history with its times, and what stopping early
has seen. The order of the windows needs nothing: the seed and the epoch decide it. A trial that goes on from here ends
with the weights of one that was never stopped.
"""

from __future__ import annotations

import json
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from grubench.backends.loader import backend
from grubench.runs import atomic
from grubench.runs.files import os_errors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from grubench.training.callbacks import Recorder

# The entry of the file that is JSON; the others are arrays.
STATE = "state"


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A checkpoint as it was read.

    Attributes:
        state: What is not an array: epoch, history, times, stopping.
        arrays: Those of the model and the optimizer, and the best weights so far.
    """

    state: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def read(path: Path | None, identity: dict[str, Any]) -> Saved | None:
    """The checkpoint of a trial; None where there is none, or it is damaged, or of another trial or machine."""
    if path is None or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = json.loads(arrays.pop(STATE).tobytes())
        return Saved(state=state, arrays=arrays) if state["identity"] == identity else None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps a checkpoint every few epochs, and sets a fit up to go on from one.

    Args:
        path: The file; None to keep none.
        every: Epochs between checkpoints; 0 to make none, and go on from one that is there.
        identity: What trial it is and what it runs on: a checkpoint of another is passed over.
        began: When the trial began, as `time.perf_counter` has it.
    """

    def __init__(
        self, path: Path | None = None, every: int = 0, identity: dict[str, Any] | None = None, began: float = 0.0
    ) -> None:
        super().__init__()
        self.path, self.every, self.identity = path, every, identity or {}
        self.saved = read(path, self.identity)
        self.earlier_s = float(self.saved.state["spent_s"]) if self.saved else 0.0
        self._began = began - self.earlier_s

    @property
    def first_epoch(self) -> int:
        """The epoch to go on with, from 0."""
        return int(self.saved.state["epoch"]) if self.saved else 0

    def watch(self, recorder: Recorder, stopper: keras.callbacks.EarlyStopping | None) -> None:
        """Keep what these know too. Callbacks are called in order: this one has to stand behind them."""
        self.recorder, self.stopper = recorder, stopper

    def restore(self, model: keras.Model) -> None:
        """Give a model, its optimizer and the recorder what was kept."""
        model.optimizer.build(model.trainable_variables)
        if self.saved is None:
            return
        for number, variable in enumerate(_variables(model)):
            variable.assign(self.saved.arrays[f"v{number}"])
        self.recorder.restore(self.saved.state["recorder"])

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Give the stopper back what it knew, which it has just forgotten, and the generators their states."""
        if self.saved is None:
            return
        # Not before: PyTorch's loader has drawn meanwhile.
        backend().set_random_state({name[1:]: one for name, one in self.saved.arrays.items() if name[0] == "r"})
        if self.stopper is None:
            return
        for name, value in self.saved.state["stopper"].items():
            setattr(self.stopper, name, value)
        best = [self.saved.arrays[name] for name in _numbered("b", self.saved.arrays)]
        self.stopper.best_weights = best or None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Keep what there is, now and then."""
        # A fit that stops here would not know it when it went on from here.
        if self.path is None or not self.every or (epoch + 1) % self.every or self.model.stop_training:
            return
        arrays = {
            f"v{number}": keras.ops.convert_to_numpy(variable) for number, variable in enumerate(_variables(self.model))
        }
        arrays |= {f"r{name}": one for name, one in backend().random_state().items()}
        stopper: dict[str, Any] = {}
        if self.stopper is not None:
            stopper = {name: getattr(self.stopper, name) for name in ("wait", "best_epoch", "stopped_epoch")}
            stopper["best"] = None if self.stopper.best is None else float(self.stopper.best)
            arrays |= {f"b{number}": one for number, one in enumerate(self.stopper.best_weights or ())}
        state = {
            "identity": self.identity,
            "epoch": epoch + 1,
            "spent_s": time.perf_counter() - self._began,
            "recorder": self.recorder.state(),
            "stopper": stopper,
        }
        _write(self.path, state, arrays)


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _numbered(letter: str, arrays: dict[str, NDArray[Any]]) -> list[str]:
    names = [name for name in arrays if name[0] == letter]
    return sorted(names, key=lambda name: int(name[1:]))


def _write(path: Path, state: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Write atomically: a process that is killed meanwhile leaves the checkpoint before."""
    text = np.frombuffer(json.dumps(state).encode(), np.uint8)
    with os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    remedy = "Free some space, or choose another --output."
    with atomic.write_file(path, remedy) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{STATE: text}, **arrays)
