"""What this machine trains with: versions, backends, devices, threads, cuDNN, and what runs each layer of a stack."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grubench.backends import machine, registry, versions
from grubench.backends.loader import backend, import_s
from grubench.data.datasets.download import VARIABLE, cache_folder
from grubench.spec.backends import BACKENDS
from grubench.spec.parameter_count import count_inputs, count_outputs
from grubench.training.kernel_check import observe_kernels
from grubench.training.model import build_model

if TYPE_CHECKING:
    from rich.console import Console

    from grubench.spec.experiment import Experiment


def examine(spec: Experiment) -> dict[str, Any]:
    """What a trial of this spec would run on; each layer is run for two steps, to see what runs it.

    Returns:
        Plain values: versions, processor, backends, devices, threads, cuDNN, import time, and a record a layer.

    Raises:
        UsageError: The spec asks for what cannot be had here.
    """
    backend().set_threads(spec.training.threads)
    backend().set_up_devices()
    model = build_model(spec, spec.window.lookback, count_inputs(spec), count_outputs(spec))
    capability = backend().capability()
    return machine.describe_environment(spec.training.backend) | {
        "backend": backend().name,
        "backends": {name: _version(name) for name in BACKENDS},
        "devices": backend().gpus() or ["CPU"],
        "capability": ".".join(map(str, capability)) if capability else None,
        "threads": spec.training.threads or machine.count_cores(),
        "cudnn": backend().cudnn_version() or None,
        "lacks_cudnn": backend().lacks_cudnn(),
        "precision": spec.training.precision,
        "jit_compile": bool(model.jit_compile),
        "import_s": import_s(),
        "kernels": [asdict(one) for one in observe_kernels(model, spec)],
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print it."""
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_row("versions", ", ".join(f"{name} {version}" for name, version in found["versions"].items()))
    facts.add_row("system", found["system"])
    facts.add_row("processor", f"{found['processor']}, {found['cores']} cores, {found['threads']} threads used")
    facts.add_row("backend", Text(_backends(found)))
    card = f", compute capability {found['capability']}" if found["capability"] else ""
    facts.add_row("devices", ", ".join(found["devices"]) + card)
    facts.add_row("cuDNN", Text(_cudnn(found)))
    facts.add_row("precision", f"{found['precision']}, jit_compile {'on' if found['jit_compile'] else 'off'}")
    facts.add_row("import", f"{found['import_s']:.1f} s for Keras and {backend().title}")
    facts.add_row("data", f"{VARIABLE}={os.environ.get(VARIABLE, '(not set)')}, cache {cache_folder()}")
    console.print(facts)
    console.print()
    for kernel in found["kernels"]:
        seen = f" (seen: {kernel['operation']})" if kernel["operation"] else ""
        console.print(Text.assemble((kernel["layer"], "bold"), f" runs on {kernel['kernel']}", (seen, "dim")))
        for name, key in (("cuDNN", "reasons"), ("the fused kernel", "fused_reasons")):
            for reason in kernel[key]:
                console.print(Padding(Text(f"not {name}: {reason}", style="dim"), (0, 0, 0, 2)))


def _version(backend: str) -> str | None:
    """Its version, "?" where its package has another name; None where it is not installed."""
    return versions.find_version(backend) or "?" if registry.installed(backend) else None


def _backends(found: dict[str, Any]) -> str:
    others = [
        f"{name} {version}" if version else f"{name} is not installed (pip install '{BACKENDS[name].requirement}')"
        for name, version in found["backends"].items()
        if name != found["backend"]
    ]
    return "; ".join([found["backend"], *others])


def _cudnn(found: dict[str, Any]) -> str:
    if found["lacks_cudnn"]:
        built = f" ({backend().title} was built for version {found['cudnn']})" if found["cudnn"] else ""
        return f"none: {found['lacks_cudnn']}{built}"
    return f"version {found['cudnn']}" if found["cudnn"] else "yes"
