"""Which backend a process has, and what each may be asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import tiny

from grubench.backends import registry
from grubench.errors import SpecError, UsageError
from grubench.execution.options import ExecutionOptions
from grubench.runs.run import Run
from grubench.spec.experiment import Experiment
from grubench.spec.sections import Training


class TestTheBackendOfAProcess:
    def test_one_that_is_not_installed_is_refused_with_what_installs_it(self, call, monkeypatch) -> None:
        monkeypatch.setattr(registry, "installed", lambda name: name == "tensorflow")
        for words in (
            ("compare", "--backend", "torch"),
            ("train", "--backend", "torch"),
            ("bench", "--backend", "torch"),
        ):
            result = call(*words)
            assert result.exit_code == 2
            assert "training.backend: torch is not installed" in result.output
            assert "pip install torch" in result.output
        result = call("compare", "--vary", "backend=tensorflow,jax")
        assert (result.exit_code, "pip install jax" in result.output) == (2, True)
        assert not (Path("runs")).exists()

    def test_two_in_one_process_are_refused_before_anything_is_trained(self, call, keras, monkeypatch) -> None:
        monkeypatch.setattr(registry, "installed", lambda name: True)
        result = call("compare", "--in-process", "--vary", "backend=tensorflow,torch")
        assert result.exit_code == 2
        assert "one process cannot load tensorflow and torch" in result.output
        result = call("train", "--in-process", "--backend", "jax")
        assert result.exit_code == 2
        assert "Keras has loaded tensorflow: a process has one backend" in result.output
        assert not list(Path().rglob("metrics.json"))

    def test_an_unknown_one_is_refused(self, call, trained: dict[str, Run]) -> None:
        for words in (("compare", "--backend", "theano"), ("predict", trained["gru"].folder, "--backend", "theano")):
            result = call(*words)
            assert (result.exit_code, "theano" in result.output) == (2, True)

    def test_it_is_part_of_the_spec_and_of_the_digest(self) -> None:
        digests = {Experiment(training=Training(backend=name)).digest for name in ("tensorflow", "torch", "jax")}
        assert len(digests) == 3

    @pytest.mark.parametrize(
        "training",
        [{"strategy": "mirrored", "backend": "torch"}, {"jit": True, "backend": "torch"}],
    )
    def test_what_a_backend_cannot_do_is_refused_in_the_spec(self, training: dict) -> None:
        with pytest.raises(SpecError) as caught:
            Experiment(training=Training(**training))
        assert "--" in caught.value.remedy


def test_an_executor_that_shares_nothing_needs_no_package_here(monkeypatch) -> None:
    """Ray's nodes have packages of their own."""
    monkeypatch.setattr(registry, "installed", lambda name: False)
    ExecutionOptions(executor="ray").check([tiny()])
    with pytest.raises(UsageError, match="tensorflow is not installed"):
        ExecutionOptions().check([tiny()])
