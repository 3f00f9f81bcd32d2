"""What cannot fit a machine: told from counts, and never of what fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import tiny

from grubench import api
from grubench.backends import capacity, machine
from grubench.errors import UsageError
from grubench.execution.options import ExecutionOptions
from grubench.execution.scheduler import Scheduler
from grubench.spec.experiment import Experiment
from grubench.spec.parameter_count import count_parameters
from grubench.spec.sections import Layer, Model


@pytest.fixture(autouse=True)
def small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 1 GB of memory, 2 cores and no GPU, on which nothing is trained."""
    monkeypatch.setattr(capacity, "count_memory_bytes", lambda: 10**9)
    monkeypatch.setattr(capacity, "count_cores", lambda: 2)
    monkeypatch.setattr(capacity, "list_visible_cards", list)

    def run(*_: object) -> None:
        pytest.fail("a trial was started")

    monkeypatch.setattr(Scheduler, "run", run)


def with_layers(*layers: str, **training: object) -> Experiment:
    return replace(tiny(**training), model=Model(layers=layers))


def test_the_need_is_counted() -> None:
    spec = with_layers("gru:3", "lstm:5", optimizer="adam")
    need = capacity.estimate(spec, spec.model.stack, inputs=1, batch=7, length=11)
    assert need.parameters == count_parameters(spec)
    assert need.weights_bytes == need.parameters * 4 * 4  # the weights, their gradients, two slots of Adam
    assert need.batch_bytes == 4 * (7 * 11 * (1 + 3 + 5) + 7 * spec.window.horizon)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (with_layers("gru:10000"), "gru:10000 with batches of 32 windows of 14 steps needs at least 5 GB"),
        (with_layers(*["lstm:1000"] * 60), ":1000, "),
        (with_layers("gru:4", threads=33), "33 threads on 2 cores"),
    ],
)
def test_what_cannot_fit_is_refused_before_anything_trains(tmp_path: Path, spec: Experiment, said: str) -> None:
    for job in (api.train, api.compare):
        with pytest.raises(UsageError) as caught:
            job(spec, output=tmp_path)
        assert said in str(caught.value)
        assert "--units" in caught.value.remedy or "--threads" in caught.value.remedy


def test_a_batch_is_no_larger_than_the_training_part(tmp_path: Path) -> None:
    spec = with_layers("gru:4", batch_size=10**12)
    need = capacity.estimate(spec, spec.model.stack, inputs=1, batch=10**12, length=14)
    with pytest.raises(UsageError, match="needs at least"):
        capacity.check_memory(spec.model.stack, need, "batches", "--units")
    with pytest.raises(pytest.fail.Exception, match="a trial was started"):
        api.train(spec, output=tmp_path, options=ExecutionOptions(executor="in-process"))


def test_nothing_is_said_of_gpus_and_of_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = [Layer(cell="gru", units=10**9)]
    need = capacity.estimate(tiny(), stack, inputs=1, batch=1, length=1)
    monkeypatch.setattr(capacity, "list_visible_cards", lambda: ["0"])
    capacity.check_memory(stack, need, "", "")
    monkeypatch.setattr(capacity, "list_visible_cards", list)
    monkeypatch.setattr(capacity, "count_memory_bytes", lambda: None)
    capacity.check_memory(stack, need, "", "")


@pytest.mark.parametrize(
    ("limit", "expected"), [("max", 8 * 2**30), ("1000000", 10**6), ("9223372036854771712", 2**33)]
)
def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, expected: int) -> None:
    (tmp_path / "max").write_text(f"{limit}\n")
    values = {"MemTotal": f"{8 * 2**20} kB", "SwapTotal": "1 kB"}
    monkeypatch.setattr(machine, "read_field", lambda _, name: values[name])
    monkeypatch.setattr(machine, "CONTAINER_LIMITS", (tmp_path / "absent", tmp_path / "max"))
    assert machine.count_memory_bytes() == expected + 1024


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--batch", "999999999", "--length", "999999"), "needs at least"),
        (("--units", "999999999"), "needs at least"),
        (("--units", "9" * 5000), "--units: '999"),
        (("--layers", "101"), "--layers: 101 are too many"),
        (("--threads", "100"), "100 threads on 2 cores"),
        (("--batch", ",".join(map(str, range(1, 200))), "--length", ",".join(map(str, range(1, 200)))), "combinations"),
    ],
)
def test_a_benchmark_that_cannot_fit_is_refused_before_keras_loads(call, words: tuple[str, ...], said: str) -> None:
    done = call("bench", *words)
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize("more", [{"seeds": 10**9}, {"vary": {"batch_size": range(1, 10**6)}}])
def test_comparisons_of_too_many_trials_are_refused(tmp_path: Path, more: dict) -> None:
    with pytest.raises(UsageError, match="trials are too many"):
        api.compare(tiny(), output=tmp_path, **more)
