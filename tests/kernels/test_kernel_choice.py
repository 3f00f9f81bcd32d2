"""The choice of a kernel for a layer, and the reasons against the fused one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import kernels_with
from kernel_cases import needs_kernels

from grubench.kernels import processor
from grubench.kernels.head_activation import HEAD_ACTIVATIONS
from grubench.kernels.losses import LOSS_TERMS
from grubench.kernels.optimizers import UPDATE_RULES
from grubench.runs.records import LayerKernel
from grubench.spec.experiment import Experiment
from grubench.spec.kernel_rules import FUSED_HEAD_ACTIVATIONS
from grubench.spec.losses import LOSSES
from grubench.spec.optimizers import OPTIMIZERS
from grubench.spec.sections import Model, Training

pytestmark = needs_kernels


def choose_kernel(
    *, gpu: bool = False, layer: str = "gru:4", model: Model | None = None, training: Training | None = None
) -> LayerKernel:
    """The kernel of one layer, as if there were a GPU or none."""
    spec = Experiment(model=replace(model or Model(), layers=(layer,)), training=training or Training())
    return kernels_with(spec, gpu=gpu)[0]


def test_auto_chooses_the_fused_kernel_without_a_gpu_and_cudnn_with_one() -> None:
    assert choose_kernel().kernel == "fused"
    assert choose_kernel(layer="rnn:4").kernel == "fused"
    assert choose_kernel(model=Model(reset_after=False)).kernel == "fused"
    assert choose_kernel(gpu=True).kernel == "cudnn"
    assert choose_kernel(gpu=True, training=Training(kernel="fused")).kernel == "fused"


@pytest.mark.parametrize(
    ("sections", "remedy"),
    [
        ({"model": Model(recurrent_dropout=0.1)}, "--recurrent-dropout 0"),
        ({"model": Model(activation="relu")}, "--activation tanh"),
        ({"model": Model(recurrent_activation="hard_sigmoid")}, "--recurrent-activation sigmoid"),
        ({"training": Training(precision="mixed_bfloat16")}, "--precision float32"),
        ({"training": Training(jit=True)}, "--jit"),
        ({"training": Training(kernel="keras")}, "--kernel keras"),
    ],
)
def test_unsupported_settings_run_on_keras_loop_and_the_reason_names_the_remedy(sections: dict, remedy: str) -> None:
    kernel = choose_kernel(**sections)
    assert kernel.kernel in ("keras", "xla")
    assert any(remedy in reason for reason in kernel.fused_reasons)


def test_a_processor_without_vectors_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "detect_processor", lambda: None)
    kernel = choose_kernel()
    assert (kernel.kernel, kernel.fused_reasons) == ("keras", ("this processor has neither AVX2 nor NEON",))


def test_every_loss_optimizer_and_head_activation_has_compiled_code() -> None:
    """One that has none would need a rule in `explain_no_fused`."""
    assert set(LOSSES) == set(LOSS_TERMS)
    assert set(OPTIMIZERS) == set(UPDATE_RULES)
    assert set(FUSED_HEAD_ACTIVATIONS) == {"linear", *HEAD_ACTIVATIONS}
