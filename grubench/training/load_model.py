"""Load a run's model from its file, which is untrusted."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

from grubench.errors import RunError
from grubench.spec.cells import CELLS
from grubench.spec.optimizers import OPTIMIZERS
from grubench.spec.sections import INITIALIZERS
from grubench.text import list_names, quote

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from grubench.runs.run import Run

# What a model file of Keras holds.
PARTS = ("metadata.json", "config.json", "model.weights.h5")
# Its configuration is a page for each layer.
MAX_CONFIG_BYTES = 2**24
WEIGHT_BYTES = 4
# What the models that grubench builds are made of, as their configuration calls it.
CLASSES = {
    *(cell.keras_class for cell in CELLS.values()),
    *(optimizer.keras_class for optimizer in OPTIMIZERS.values()),
    *(name.title().replace("_", "") for name in INITIALIZERS),  # `glorot_uniform` as GlorotUniform
    *("Sequential", "InputLayer", "Bidirectional", "Dropout", "Activation", "Dense"),
    *("IdentityInitializer", "Ones", "DTypePolicy", "LossScaleOptimizer"),
}


def load_model(run: Run) -> keras.Model:
    """The run's Keras model, loaded in safe mode: a file that holds code is refused.

    Raises:
        RunError: It cannot be loaded.
    """
    from grubench.backends.loader import backend

    backend().set_up_devices()
    import keras

    path = run.folder / "model.keras"
    try:
        _check_archive(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged file can fail anywhere in zipfile, h5py and Keras
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise RunError(
            f"{path} cannot be loaded: {reason}", "grubench loads stock Keras layers only, in Keras's safe mode."
        ) from error


def _check_archive(path: Path) -> None:
    """Refuse a model that grubench did not write, before Keras reads it: Keras's safe mode has had holes.

    Raises:
        ValueError: There is more in it than a stack of the layers that grubench builds.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if sorted(entry.filename for entry in entries) != sorted(PARTS):
            raise ValueError(f"it holds {list_names(entry.filename for entry in entries)} and not {', '.join(PARTS)}")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):  # so that nothing in it can swell
            raise ValueError("its parts are compressed, which Keras does not do")
        sizes = {entry.filename: entry.file_size for entry in entries}
        if sizes["config.json"] + sizes["metadata.json"] > MAX_CONFIG_BYTES:
            raise ValueError(f"its configuration has more than {MAX_CONFIG_BYTES:,} bytes")
        _check_config(json.loads(archive.read("config.json")), sizes["model.weights.h5"] / WEIGHT_BYTES)


def _check_config(config: Any, weights: float) -> None:
    left = [config]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
        elif isinstance(node, dict):
            left += node.values()
            name = node.get("class_name", "DTypePolicy")
            if name not in CLASSES or str(node.get("module", "keras")).partition(".")[0] != "keras":
                raise ValueError(f"it holds {quote(node.get('module'))} {quote(name)}, which could run code of its own")
            units = node.get("units", 0)
            if not isinstance(units, int) or (units if name == "Dense" else units**2) > weights:
                raise ValueError(f"it says {quote(units)} units, and has weights for fewer")
