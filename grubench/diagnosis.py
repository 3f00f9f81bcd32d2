"""What this machine trains with: versions, devices, threads, cuDNN, and the kernel of each layer of a stack."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from grubench import environment, models
from grubench.datasets.download import VARIABLE, cache_folder
from grubench.engine import IMPORT_S, tf
from grubench.training import set_threads

if TYPE_CHECKING:
    from rich.console import Console

    from grubench.experiment import Experiment


def examine(spec: Experiment) -> dict[str, Any]:
    """What a trial of this spec would run on.

    Returns:
        Plain values: versions, processor, devices, threads, cuDNN, import time, and a record a layer.
    """
    set_threads(spec.training.threads)
    build = tf.sysconfig.get_build_info()
    return environment.describe() | {
        "devices": models.gpus() or ["CPU"],
        "threads": spec.training.threads or os.cpu_count(),
        "cudnn": build.get("cudnn_version") if build.get("is_cuda_build") else None,
        "import_s": IMPORT_S,
        "kernels": models.kernel_records(spec),
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print it."""
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_row("versions", ", ".join(f"{name} {version}" for name, version in found["versions"].items()))
    facts.add_row("system", found["system"])
    facts.add_row("processor", f"{found['processor']}, {found['cores']} cores, {found['threads']} threads used")
    facts.add_row("devices", ", ".join(found["devices"]))
    facts.add_row("cuDNN", _cudnn(found))
    facts.add_row("import", f"{found['import_s']:.1f} s for Keras and TensorFlow")
    facts.add_row("data", f"{VARIABLE}={os.environ.get(VARIABLE, '(not set)')}, cache {cache_folder()}")
    console.print(facts)
    console.print()
    for kernel in found["kernels"]:
        console.print(Text.assemble((kernel["layer"], "bold"), f" would run on {kernel['kernel']}"))
        for name, key in (("cuDNN", "reasons"), ("the fused kernel", "fused_reasons")):
            for reason in kernel[key]:
                console.print(Text(f"  not {name}: {reason}", style="dim"))


def _cudnn(found: dict[str, Any]) -> str:
    if not found["cudnn"]:
        return "TensorFlow was built without CUDA"
    here = "" if found["devices"] != ["CPU"] else ", and finds no GPU here"
    return f"TensorFlow was built for version {found['cudnn']}{here}"
