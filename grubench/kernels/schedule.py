"""The schedule of a training step: which thread calls what, in which order, and where threads wait for each other.

A step has three stretches with a barrier after each: what of the weights lies in a second layout; all passes of the
rows of each part; the sums of the parts and the update of the weights, some of them by each thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grubench.kernels.cells import CELLS, COMMON
from grubench.kernels.flat_weights import Span
from grubench.kernels.integer_emitter import FLOAT_BYTES
from grubench.kernels.partition import partition_batch, tile_rows
from grubench.kernels.pass_tables import PassTables
from grubench.kernels.tape import Tape
from grubench.kernels.weight_tables import WeightTables

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from grubench.kernels.batch_memory import BatchMemory
    from grubench.kernels.flat_weights import LayerShape
    from grubench.kernels.network import Network
    from grubench.kernels.pass_tables import LayerTables, LevelTables

# Weights that one thread updates at a time.
CHUNK = 4096
# The rows of a group where layers of several cells have groups of different sizes.
COMMON_ROWS = 4


@dataclass(frozen=True, kw_only=True)
class PartRows:
    """A part of a batch.

    Attributes:
        first: Its first row.
        count: Its rows, those past the end of the batch too.
        last: The row after its last in the batch.
        scratch: The address of its thread's scratch memory.
        gradients: The address of its gradients.
    """

    first: int
    count: int
    last: int
    scratch: int
    gradients: int


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Weights that one thread updates.

    Attributes:
        tape: The thread's.
        span: Where they lie.
        update: The address of the table of their update.
        layer: The number of the layer whose biases they are; None for other weights.
    """

    tape: Tape
    span: Span
    update: int
    layer: int | None


class Schedule:
    """The schedule of batches of one size.

    Args:
        network: The network.
        memory: Its memory.
        batch: The rows of a batch.
        kind: `train`, `evaluate` (the loss alone) or `forecast`.
    """

    def __init__(self, network: Network, memory: BatchMemory, batch: int, kind: str) -> None:
        self.network, self.memory, self.batch, self.kind = network, memory, batch, kind
        self.learns = kind == "train"
        self.passes, self.weights = PassTables(network, memory, batch), WeightTables(network, memory)
        self._tapes = [Tape() for _ in range(network.pool.threads)]
        self._add_second_layouts()  # the weights may have been set since the last call
        self._wait()
        self._add_passes()
        self._wait()
        if self.learns:
            self._add_update()
            self._wait()
            self._tapes[0].next_step()  # nothing before the next barrier asks for the number of the step
        self.tapes: list[NDArray[np.int64]] = [tape.to_array() for tape in self._tapes]

    def _wait(self) -> None:
        for tape in self._tapes:
            tape.wait()

    def _function(self, name: str, module: str = COMMON) -> int:
        return self.network.programs[module].addresses[name]

    def _list_group_sizes(self, layer: LayerShape) -> list[int]:
        return [tile.rows for tile in self.network.processor.tiles(CELLS[layer.cell].gates)]

    def _add_second_layouts(self) -> None:
        """Add what of the weights is read in a second layout: biases by pre-activation, and transposed matrices."""
        tapes = self._tapes
        for number, layer in enumerate(self.network.shape.layers):
            tapes[number % len(tapes)].call(self._function("pack_bias", layer.cell), self.weights.make_bias(number))
            for place, table in enumerate(self.weights.make_transposes(number) if self.learns else ()):
                tapes[(number + place) % len(tapes)].call(self._function("transpose"), table)

    def _add_passes(self) -> None:
        """Add the passes of the rows of each part."""
        network, shape, tables = self.network, self.network.shape, self.passes
        sizes = {tuple(self._list_group_sizes(layer)) for layer in shape.layers}
        partition = partition_batch(self.batch, network.parts, [*sizes.pop()] if len(sizes) == 1 else [COMMON_ROWS])
        levels = [tables.make_level(number) for number in range(len(shape.levels))]
        batches, head = tables.make_batch(with_targets=self.kind != "forecast"), tables.make_head()
        activation = tables.make_activation() if shape.activation else (0, 0)
        for part, groups in enumerate(partition):
            thread = part * network.pool.threads // len(partition)
            rows = PartRows(
                first=groups[0][0],
                count=sum(size for _, size in groups),
                last=min(sum(groups[-1]), self.batch),
                scratch=self.memory.scratch[thread].ctypes.data,
                gradients=self.memory.partial[part].ctypes.data,
            )
            tape = self._tapes[thread]
            for table in batches:
                tape.call(self._function("batch"), table, rows.first, rows.last)
            for level in levels:
                self._add_forward(tape, level, rows)
            self._add_head(tape, head, activation, rows)
            for level in reversed(levels) if self.learns else ():
                self._add_backward(tape, level, rows)

    def _add_forward(self, tape: Tape, level: LevelTables, rows: PartRows) -> None:
        for layer in level.layers:
            for row, size in self._tile(layer, rows):
                tape.call(self._function(f"forward_{size}", layer.shape.cell), layer.forward, row, rows.scratch)
        if level.drop:
            tape.call(self._function("dropout"), level.drop, rows.first, rows.last)

    def _add_head(self, tape: Tape, head: int, activation: tuple[int, int], rows: PartRows) -> None:
        """Add the activation, and the forecasts or the loss with its gradients."""
        shape = self.network.shape
        if shape.activation:
            tape.call(self._function(f"activate_{shape.activation}"), activation[0], rows.first, rows.last)
        if self.kind == "forecast":
            tape.call(self._function("forecast"), head, rows.first, rows.last)
            return
        if self.kind == "evaluate":
            tape.call(self._function(f"loss_{shape.loss}"), head, rows.first, rows.last)
            return
        place = rows.gradients + FLOAT_BYTES * self.network.layout.head_w.start
        tape.call(self._function(f"head_{shape.loss}"), head, rows.first, rows.last, place)
        if shape.activation:
            tape.call(self._function(f"derive_{shape.activation}"), activation[1], rows.first, rows.last)

    def _add_backward(self, tape: Tape, level: LevelTables, rows: PartRows) -> None:
        if level.drop_back:
            tape.call(self._function("dropout"), level.drop_back, rows.first, rows.last)
        for layer in level.layers:
            place = rows.gradients + FLOAT_BYTES * layer.spans.u.start
            for row, size in self._tile(layer, rows):
                function = self._function(f"backward_{size}", layer.shape.cell)
                tape.call(function, layer.backward, row, rows.scratch, place)

    def _tile(self, layer: LayerTables, rows: PartRows) -> list[tuple[int, int]]:
        return tile_rows(rows.first, rows.count, self._list_group_sizes(layer.shape))

    def _add_update(self) -> None:
        """Add the sums over the parts, the clipping and the update."""
        sums, clips = self.weights.make_sums(), bool(self.network.shape.clipnorm)
        scales = [self.weights.make_scale() for _ in self.network.layout.list_variables()]
        stretches = self._divide_weights(scales)
        for stretch in stretches:
            self._add_sums(sums, stretch)
            if not clips:
                self._add_stretch(stretch)
        if clips:
            self._wait()
            self._add_clipping(scales)
            self._wait()
            for stretch in stretches:
                self._add_stretch(stretch)

    def _divide_weights(self, scales: list[int]) -> list[Stretch]:
        """The weights in stretches, each given to the thread that has the fewest so far; biases of a layer are one."""
        layout = self.network.layout
        biases = {spans.bias: number for number, spans in enumerate(layout.spans)}
        loads, stretches = [0] * len(self._tapes), []
        for span, scale in zip(layout.list_variables(), scales, strict=True):
            update = self.weights.make_update(scale)
            size = span.stop - span.start if span in biases else CHUNK
            for start in range(span.start, span.stop, size):
                piece = Span(start=start, stop=min(start + size, span.stop))
                thread = loads.index(min(loads))
                loads[thread] += piece.stop - piece.start
                stretches.append(Stretch(tape=self._tapes[thread], span=piece, update=update, layer=biases.get(span)))
        return stretches

    def _add_sums(self, sums: int, stretch: Stretch) -> None:
        span = stretch.span if stretch.layer is None else self.network.layout.spans[stretch.layer].packed_bias
        stretch.tape.call(self._function("sum_parts"), sums, span.start, span.stop)
        if stretch.layer is not None:
            cell = self.network.shape.layers[stretch.layer].cell
            table = self.weights.make_bias(stretch.layer, of_gradients=True)
            stretch.tape.call(self._function("sum_bias", cell), table)

    def _add_stretch(self, stretch: Stretch) -> None:
        function = self._function(f"update_{self.network.shape.optimizer}")
        stretch.tape.call(function, stretch.update, stretch.span.start, stretch.span.stop)

    def _add_clipping(self, scales: list[int]) -> None:
        for number, (span, scale) in enumerate(zip(self.network.layout.list_variables(), scales, strict=True)):
            tape = self._tapes[number % len(self._tapes)]
            tape.call(self._function("clip"), self.weights.make_clip(span, scale))
