"""What this machine trains with: versions, backends, devices, threads, cuDNN, and what runs each layer of a stack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grubench.backends import machine, private_api, registry, versions
from grubench.backends.loader import backend, import_s
from grubench.data.datasets.download import VARIABLE, cache_folder
from grubench.spec.backends import BACKENDS
from grubench.spec.parameter_count import count_inputs, count_outputs
from grubench.training.kernel_check import observe_kernels
from grubench.training.model import build_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from grubench.runs.records import LayerKernel
    from grubench.spec.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What a trial would run on.

    Attributes:
        versions: Of Python and the packages that decide a result.
        system: The operating system.
        processor: Its name.
        cores: How many it has; None where the system does not say.
        threads: How many threads a trial would use.
        backends: The version of each backend, `?` where it is not known; None where it is not installed.
        devices: The GPUs that a trial would use, or `CPU`.
        capability: The least compute capability of the NVIDIA cards; None without any.
        cudnn: The version of cuDNN; empty where there is none.
        lacks_cudnn: Why no layer can have cuDNN; empty where one can.
        precision: As the spec names it.
        jit_compile: Whether the model is compiled by XLA.
        import_s: Seconds that loading Keras took.
        kernels: What runs each recurrent layer.
    """

    versions: Mapping[str, str]
    system: str
    processor: str
    cores: int | None
    threads: int
    backends: Mapping[str, str | None]
    devices: Sequence[str]
    capability: tuple[int, int] | None
    cudnn: str
    lacks_cudnn: str
    precision: str
    jit_compile: bool
    import_s: float
    kernels: Sequence[LayerKernel]


def examine(spec: Experiment) -> Diagnosis:
    """Find what a trial of this spec would run on; each layer is run for two steps, to see what runs it.

    Raises:
        UsageError: The spec asks for what cannot be had here.
    """
    backend().set_threads(spec.training.threads)
    backend().set_up_devices()
    model = build_model(spec, spec.window.lookback, count_inputs(spec), count_outputs(spec))
    provenance = machine.describe_provenance(spec.training.backend)
    return Diagnosis(
        versions=provenance.versions,
        system=provenance.system,
        processor=provenance.processor,
        cores=provenance.cores,
        threads=spec.training.threads or machine.count_cores(),
        backends={name: _find_version(name) for name in BACKENDS},
        devices=backend().gpus() or ["CPU"],
        capability=backend().capability(),
        cudnn=backend().cudnn_version(),
        lacks_cudnn=backend().lacks_cudnn(),
        precision=spec.training.precision,
        jit_compile=private_api.is_compiled_by_xla(model),
        import_s=import_s(),
        kernels=observe_kernels(model, spec),
    )


def show(diagnosis: Diagnosis, console: Console) -> None:
    """Print it."""
    capability = ".".join(map(str, diagnosis.capability or ()))
    card = f", compute capability {capability}" if capability else ""
    processor = f"{diagnosis.processor}, {diagnosis.cores} cores, {diagnosis.threads} threads used"
    jit_compile = "on" if diagnosis.jit_compile else "off"
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("versions", ", ".join(f"{name} {version}" for name, version in diagnosis.versions.items()))
    table.add_row("system", diagnosis.system)
    table.add_row("processor", processor)
    table.add_row("backend", Text(_describe_backends(diagnosis)))
    table.add_row("devices", ", ".join(diagnosis.devices) + card)
    table.add_row("cuDNN", Text(_describe_cudnn(diagnosis)))
    table.add_row("precision", f"{diagnosis.precision}, jit_compile {jit_compile}")
    table.add_row("import", f"{diagnosis.import_s:.1f} s for Keras and {backend().title}")
    table.add_row("data", f"{VARIABLE}={os.environ.get(VARIABLE, '(not set)')}, cache {cache_folder()}")
    console.print(table)
    console.print()
    for kernel in diagnosis.kernels:
        operation = f" (seen: {kernel.operation})" if kernel.operation else ""
        console.print(Text.assemble((kernel.layer, "bold"), f" runs on {kernel.kernel}", (operation, "dim")))
        for name, reasons in (("cuDNN", kernel.reasons), ("the fused kernel", kernel.fused_reasons)):
            for reason in reasons:
                console.print(Padding(Text(f"not {name}: {reason}", style="dim"), (0, 0, 0, 2)))


def _find_version(name: str) -> str | None:
    """The version of a backend, "?" where its package has another name; None where it is not installed."""
    return versions.find_version(name) or "?" if registry.installed(name) else None


def _describe_backends(diagnosis: Diagnosis) -> str:
    others = [
        f"{name} {version}" if version else f"{name} is not installed (pip install {BACKENDS[name].requirement})"
        for name, version in diagnosis.backends.items()
        if name != backend().name
    ]
    return "; ".join([backend().name, *others])


def _describe_cudnn(diagnosis: Diagnosis) -> str:
    if not diagnosis.lacks_cudnn:
        return f"version {diagnosis.cudnn}" if diagnosis.cudnn else "yes"
    built = f" ({backend().title} was built for version {diagnosis.cudnn})" if diagnosis.cudnn else ""
    return f"none: {diagnosis.lacks_cudnn}{built}"
