"""Trials on Ray: two nodes on one machine, one of them killed; the same results as anywhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import half_done, tiny, visible

from grubench import api
from grubench.errors import TrainingError, UsageError
from grubench.execution.options import ExecutionOptions
from grubench.runs.run import Run
from grubench.training.events import EpochEnd, Event, TrialEnd

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")
pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[cluster_utils.Cluster]:
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_a_node_killed_in_the_middle_costs_no_trial(
    cluster: cluster_utils.Cluster, trained: dict[str, Run], tmp_path: Path
) -> None:
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    events: list[Event] = []

    def on_event(event: Event) -> None:
        events.append(event)
        ended = sum(isinstance(earlier, TrialEnd) for earlier in events)
        if ended >= 3 and isinstance(event, EpochEnd) and len(ray.nodes()) and second in cluster.worker_nodes:
            cluster.remove_node(second, allow_graceful=False)

    options = ExecutionOptions(executor="ray", ray_address=cluster.address, retries=5)
    comparison = api.compare(tiny(), seeds=6, output=tmp_path, options=options, on_event=on_event)
    assert second not in cluster.worker_nodes
    assert [len(arm) for arm in comparison.arms.values()] == [6, 6]
    assert Counter(type(event) for event in events)[TrialEnd] == 12
    assert len([name for name in visible(tmp_path) if "compare" not in name]) == 12
    assert not half_done(tmp_path)
    for arm, runs in comparison.arms.items():
        for ours, theirs in zip(weights(runs[0]), weights(trained[arm.name.lower()]), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert {run.environment.shared for run in comparison.runs} == {"beside other trials on a Ray cluster"}
    assert len({run.environment.call for run in comparison.runs}) == 1
    assert sorted(run.environment.place for run in comparison.runs) == list(range(12))
    assert api.compare(tiny(), seeds=6, output=tmp_path, options=options).reused == 12


def test_more_cores_than_any_node_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no node of the cluster has 4096 cores") as caught:
        api.compare(tiny(threads=4096), seeds=1, output=tmp_path, options=ExecutionOptions(executor="ray"))
    assert "--threads" in caught.value.remedy
    assert not ray.is_initialized()


def test_an_error_of_a_trial_comes_back_as_it_was(tmp_path: Path) -> None:
    options = ExecutionOptions(executor="ray")
    with pytest.raises(TrainingError, match="in epoch 1") as caught:
        api.compare(tiny(optimizer="sgd", learning_rate=1e30), seeds=1, output=tmp_path, options=options)
    assert "--learning-rate" in caught.value.remedy
    assert not ray.is_initialized()  # the cluster that was started for it is gone


def test_a_cluster_that_is_not_there_is_reported(tmp_path: Path) -> None:
    options = ExecutionOptions(executor="ray", ray_address="127.0.0.1:1")
    with pytest.raises(UsageError, match="could not be reached"):
        api.compare(tiny(), seeds=1, output=tmp_path, options=options)


def weights(run: Run) -> list[np.ndarray]:
    return keras.saving.load_model(run.folder / "model.keras").get_weights()
