"""Comparisons whose arms differ in the backend."""

from __future__ import annotations

from dataclasses import replace

from conftest import arm, compare_runs, made
from msgspec import structs

from grubench.comparison import timing
from grubench.comparison.comparable import find_differing_machines
from grubench.comparison.comparison import Comparison
from grubench.comparison.verdict import write_verdict
from grubench.reports import columns, header, rows
from grubench.runs.records import LayerKernel
from grubench.runs.run import Run

LOOP = {
    "kernels": (LayerKernel(layer="gru:4", kernel="keras", reasons=(), fused_reasons=("it is TensorFlow's",)),),
}


class TestComparisonsOfBackends:
    def compared(self, trained: dict[str, Run], **environments: dict) -> Comparison:
        """Arms that differ in the backend, and what ran them."""
        found = made(trained, {"GRU": [(1.0, 2.0), (1.1, 2.1), (0.9, 1.9)]})
        arms = {}
        for factor, (name, differing) in enumerate(environments.items(), 1):
            arms[f"GRU backend={name}"] = [
                replace(
                    run,
                    experiment=replace(run.experiment, training=replace(run.experiment.training, backend=name)),
                    environment=structs.replace(run.environment, **{"backend": name, "devices": ("CPU",)} | differing),
                    metrics=structs.replace(
                        run.metrics,
                        timing=structs.replace(run.metrics.timing, epoch_s=factor * run.metrics.timing.epoch_s),
                    ),
                )
                for run in found.runs_of("GRU")
            ]
        return compare_runs(arms)

    def test_their_times_are_compared_though_their_kernels_differ(self, trained: dict[str, Run]) -> None:
        found = self.compared(trained, tensorflow={}, torch=LOOP | {"versions": {"torch": "2"}})
        assert not timing.explain_other_kernels(found)
        texts = list(map(str, write_verdict(found).findings))
        assert any("GRU backend=tensorflow 2.00 times as fast" in text for text in texts)

    def test_each_has_its_line_of_what_ran(self, trained: dict[str, Run]) -> None:
        found = self.compared(trained, tensorflow={}, torch=LOOP)
        assert header.write_kernel_lines(found) == [
            "GRU backend=tensorflow: TensorFlow on CPU, kernel fused",
            "GRU backend=torch: PyTorch on CPU, kernel keras (not fused: it is TensorFlow's)",
        ]
        assert len(header.write_kernel_lines(self.compared(trained, tensorflow={}))) == 1

    def test_times_are_compared_where_threads_are_the_question(self, trained: dict[str, Run]) -> None:
        found = made(trained, {"GRU": [(1.0, 2.0), (1.1, 2.1), (0.9, 1.9)]})
        arms = {
            f"GRU threads={threads}": [
                replace(
                    run,
                    experiment=replace(run.experiment, training=replace(run.experiment.training, threads=threads)),
                    environment=structs.replace(run.environment, threads=threads),
                )
                for run in found.runs_of("GRU")
            ]
            for threads in (1, 2)
        }
        assert timing.explain_untimed(compare_runs(arms)) == ""
        unasked = [replace(run, environment=structs.replace(run.environment, threads=7)) for run in found.runs[:1]]
        assert "different threads" in timing.explain_untimed(compare_runs({"GRU": [*unasked, *found.runs[1:]]}))

    def test_versions_that_one_alone_has_are_no_difference(self, trained: dict[str, Run]) -> None:
        def versions(**found: str) -> dict:
            return {"versions": {"keras": "3"} | found}

        same = self.compared(trained, tensorflow=versions(tensorflow="2"), torch=versions(torch="2"))
        assert find_differing_machines(same.runs) == []
        other = self.compared(trained, tensorflow=versions(tensorflow="2"), torch={"versions": {"keras": "4"}})
        assert find_differing_machines(other.runs) == ["versions"]

    def test_the_fastest_of_many_is_named(self, trained: dict[str, Run]) -> None:
        found = self.compared(trained, tensorflow={}, torch=LOOP, jax=LOOP)
        slower = {
            arm(name.name.replace("GRU", "LSTM")): [
                replace(run, experiment=run.experiment.with_cell("lstm")) for run in runs
            ]
            for name, runs in list(found.arms.items())[1:]
        }
        many = Comparison(arms=found.arms | slower)
        (said,) = [one for one in map(str, write_verdict(many).findings) if "shortest epochs" in one]
        assert said.startswith("Speed: GRU backend=tensorflow has the shortest epochs (geometric means of ")

    def shown_columns(self, comparison: Comparison) -> list[str]:
        shown = rows.select_columns(rows.make_rows(comparison), columns.COST_COLUMNS)
        return [column.key for column in shown]

    def test_a_gpus_memory_is_a_column(self, trained: dict[str, Run]) -> None:
        found = made(trained, {"GRU": [(1.0, 2.0)]})
        assert "gpu_mb" not in self.shown_columns(found)
        size = structs.replace(found.runs[0].metrics.size, peak_gpu_memory_bytes=123_000_000)
        metrics = structs.replace(found.runs[0].metrics, size=size)
        found = compare_runs({"GRU": [replace(found.runs[0], metrics=metrics)]})
        assert "gpu_mb" in self.shown_columns(found)
        assert rows.make_rows(found)[0].values["gpu_mb"] == [123.0]
