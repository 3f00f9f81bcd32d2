"""The way back of a group of sequences, from the last step to the first.

Steps collect slopes, inputs and states in a ring that stays in the cache; when it is full, one product adds them to the
gradients of the weights, which never reach memory step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grubench.kernels.emitter import Int, Vec
from grubench.kernels.tile import Group

# The sum whose slope waits for the derivative by the middle: a GRU's r.
MIDDLE_SLOPE = 1


def backward(group: Group, scratch: Int, gradients: Int) -> None:
    """Emit the way back of one group, which adds to the gradients of the weights.

    Scratch holds the derivatives by the output, the cell state and the middle, and the ring of states, slopes, inputs
    and middles. Gradients lie one after the other: of the columns of U that multiply the state, and of those that
    multiply the middle, `(block, units, gate, lane)`; of W, `(block, features, gate, lane)`; of the biases, `(block,
    sum, lane)`.
    """
    emit, cell = group.emit, group.cell
    state = emit.mul(group.width, group.rows)
    ring_rows = emit.mul(group.of["ring"], group.rows)
    d, dc, dmiddle = scratch, emit.at(scratch, state), emit.at(scratch, emit.mul(state, 2))
    states = emit.at(scratch, emit.mul(state, 3))
    slopes = emit.at(states, emit.mul(ring_rows, group.width))
    inputs = emit.at(slopes, emit.mul(ring_rows, group.width, cell.sums))
    middles = emit.at(inputs, emit.mul(ring_rows, emit.blocks(group.features), emit.lanes))
    ring = Ring(group=group, d=d, dc=dc, dmiddle=dmiddle, states=states, slopes=slopes, inputs=inputs, middles=middles)
    group.take("d_h_last", d, only_real=True)
    if cell.has_c:
        group.take("d_c_last", dc, only_real=True)
    size = group.of["ring"]
    turns = emit.builder.sdiv(emit.add(group.steps, size, -1), size)

    def turn(number: Any, _: list[Any]) -> None:
        end = emit.sub(group.steps, emit.mul(number, size))
        count = emit.least(size, end)
        emit.loop(count, [], lambda k, _: ring.step(k, emit.sub(emit.sub(end, 1), k)))
        ring.flush(emit.mul(count, group.rows), gradients)

    emit.loop(turns, [], turn)
    group.give(d, "d_h0")
    if cell.has_c:
        group.give(dc, "d_c0")


@dataclass(frozen=True, kw_only=True)
class Product:
    """A product of a step's slopes with transposed weights.

    Attributes:
        slopes: The slopes, `(row, sum, width)`.
        weights: The table's entry of the packed weights.
        gates: The sum of each gate.
        targets: The address of each row of the result.
        width: The floats of a row that is written once; None for one to add to.
    """

    slopes: Any
    weights: str
    gates: Sequence[int]
    targets: Sequence[Any]
    width: Any


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A side of the gradients of the weights.

    Attributes:
        target: The gradients, `(block, inner, gate, lane)`.
        inner: How many inputs or states.
        gates: The sum of each gate.
        values: The collected inputs or states.
        stride: The floats of a collected row.
    """

    target: Any
    inner: Any
    gates: Sequence[int]
    values: Any
    stride: Any


@dataclass(frozen=True, kw_only=True)
class Ring:
    """The steps back that are collected until they are multiplied into the gradients of the weights.

    Attributes:
        group: The rows.
        d: The derivatives by the output, `(row, width)`.
        dc: Those by the cell state.
        dmiddle: Those by the middle.
        states: The outputs before each collected step, `(step x row, width)`.
        slopes: The derivatives by each sum, `(step x row, sum, width)`.
        inputs: The inputs of each step, `(step x row, width of the features)`.
        middles: The middle of each step, `(step x row, width)`, of a cell that has it.
    """

    group: Group
    d: Any
    dc: Any
    dmiddle: Any
    states: Any
    slopes: Any
    inputs: Any
    middles: Any

    def step(self, k: Int, t: Int) -> None:
        """Emit step t back as the ring's k-th."""
        group, emit = self.group, self.group.emit
        rows, cell = group.rows, group.cell
        place = emit.mul(k, rows)
        slopes = emit.at(self.slopes, emit.mul(place, cell.sums, group.width))
        group.each_block(lambda block, start: self._block(block, start, t, place, slopes))
        if cell.from_middle:
            by_middle = [emit.at(self.dmiddle, emit.mul(group.width, row)) for row in range(rows)]
            self._product(
                Product(slopes=slopes, weights="u_middle_back", gates=cell.from_middle, targets=by_middle, width=None),
                group.blocks,
            )
            group.each_block(lambda block, start: self._block_through_middle(block, start, t, place, slopes))
        by_state = [emit.at(self.d, emit.mul(group.width, row)) for row in range(rows)]
        by_u = Product(slopes=slopes, weights="u_back", gates=cell.from_state, targets=by_state, width=None)
        self._product(by_u, group.blocks)
        self._collect_inputs(place, t)
        wanted = emit.choose(emit.less(0, group.of["need_d_x"]), emit.blocks(group.features), 0)
        per_row = emit.mul(group.steps, group.features)
        by_input = [emit.at(group.row_of("d_x", row, per_row), emit.mul(t, group.features)) for row in range(rows)]
        by_w = Product(slopes=slopes, weights="w_back", gates=cell.from_input, targets=by_input, width=group.features)
        self._product(by_w, wanted)

    def _block(self, block: Int, start: Int, t: Int, place: Int, slopes: Int) -> None:
        """Emit the cell's step back for one block of units of every row."""
        group, emit = self.group, self.group.emit
        rows, cell = group.rows, group.cell
        for row in range(rows):
            offset = emit.add(emit.mul(group.width, row), start)
            kept = self._saved(block, row, t)
            h = self._state_before(row, start, t)
            emit.store(h, self.states, emit.add(emit.mul(emit.add(place, row), group.width), start))
            d = emit.load(self.d, offset) + self._by_output(row, start, t)
            dc = emit.load(self.dc, offset) if cell.has_c else None
            back = cell.backward(emit, d, dc, kept, h)
            emit.store(back.dh, self.d, offset)
            if back.dc is not None:
                emit.store(back.dc, self.dc, offset)
            if cell.from_middle:
                middle = cell.middle_again(emit, kept, h)
                emit.store(middle, self.middles, emit.add(emit.mul(emit.add(place, row), group.width), start))
                emit.store(emit.const(0), self.dmiddle, offset)
            for position, slope in enumerate(back.slopes):
                emit.store(slope, slopes, emit.add(emit.mul(group.width, row * cell.sums + position), start))

    def _block_through_middle(self, block: Int, start: Int, t: Int, place: Int, slopes: Int) -> None:
        """Emit the rest of the cell's step back, once the derivative by the middle is there."""
        group, emit = self.group, self.group.emit
        cell = group.cell
        for row in range(group.rows):
            offset = emit.add(emit.mul(group.width, row), start)
            h = emit.load(self.states, emit.add(emit.mul(emit.add(place, row), group.width), start))
            slope, dh = cell.through_middle(emit, emit.load(self.dmiddle, offset), self._saved(block, row, t), h)
            emit.store(slope, slopes, emit.add(emit.mul(group.width, row * cell.sums + MIDDLE_SLOPE), start))
            emit.store(emit.load(self.d, offset) + dh, self.d, offset)

    def _saved(self, block: Int, row: int, t: Int) -> list[Vec]:
        """What the way forward saved of a row's block at step t."""
        group, emit = self.group, self.group.emit
        cell, lanes = group.cell, emit.lanes
        first = emit.mul(group.index[0], group.steps, group.width, cell.saved)
        step_floats = emit.mul(group.width, group.rows, cell.saved)
        at = emit.mul(emit.add(emit.mul(block, group.rows), row), cell.saved * lanes)
        base = emit.at(group.of["saved"], emit.add(first, emit.mul(t, step_floats), at))
        return [emit.load(base, position * lanes) for position in range(cell.saved)]

    def _state_before(self, row: int, start: Int, t: Int) -> Vec:
        """The output before step t: the one before in `hs`, or the initial state."""
        group, emit = self.group, self.group.emit
        outputs = group.row_of("hs", row, emit.mul(group.steps, group.units))
        earlier = emit.at(outputs, emit.mul(emit.sub(t, 1), group.units))
        initial = group.row_of("h0", row, group.units)
        return emit.load_some(group.inside(start), emit.choose(emit.less(0, t), earlier, initial), start)

    def _by_output(self, row: int, start: Int, t: Int) -> Vec:
        """The derivative by the output of step t itself; 0 where it is not used, or the row is past the end."""
        group, emit = self.group, self.group.emit
        use = group.of["use_d_hs"]
        limit = emit.choose(group.real[row], emit.mul(group.units, use), 0)
        # An address outside of the array costs time even where nothing is loaded from it: 0 keeps it inside.
        base = group.row_of("d_hs", row, emit.mul(group.steps, group.units, use))
        offset = emit.mul(emit.add(emit.mul(t, group.units), start), use)
        return emit.load_some(emit.mask(emit.sub(limit, start)), base, offset)

    def _product(self, product: Product, blocks: Int) -> None:
        """Emit a product with transposed weights for so many blocks of its targets, several at a time."""
        emit, columns = self.group.emit, self.group.tile.columns
        whole = emit.builder.sdiv(emit.whole(blocks), emit.whole(columns))
        emit.loop(whole, [], lambda k, _: self._columns(product, emit.mul(k, columns), columns))
        done = emit.mul(whole, columns)
        emit.loop(emit.sub(blocks, done), [], lambda k, _: self._columns(product, emit.add(done, k), 1))

    def _columns(self, product: Product, block: Int, columns: int) -> None:
        """Emit a product for some blocks side by side, all rows."""
        emit, lanes, group = self.group.emit, self.group.emit.lanes, self.group
        places = [
            (row, emit.add(emit.mul(block, lanes), column * lanes))
            for column in range(columns)
            for row in range(group.rows)
        ]
        fresh = product.width is not None
        total: list[Any] = [emit.const(0) if fresh else emit.load(product.targets[row], place) for row, place in places]
        depth = emit.mul(group.units, len(product.gates), lanes)
        base = emit.at(group.of[product.weights], emit.mul(block, depth))
        for position, gate in enumerate(product.gates):
            panel = emit.at(base, emit.mul(group.units, position * lanes))
            panels = [emit.at(panel, emit.mul(depth, column)) for column in range(columns)]
            total = self._gate(total, panels, emit.at(product.slopes, emit.mul(group.width, gate)))
        for vec, (row, place) in zip(total, places, strict=True):
            if fresh:
                emit.store_some(group.written(row, place, product.width), vec, product.targets[row], place)
            else:
                emit.store(vec, product.targets[row], place)

    def _gate(self, total: list[Any], panels: Sequence[Any], slopes: Int) -> list[Any]:
        """The totals with one gate's slopes times its weights added."""
        emit, rows = self.group.emit, self.group.rows
        row_floats = emit.mul(self.group.width, self.group.cell.sums)

        def turn(k: Any, carried: list[Any]) -> list[Any]:
            parts = [emit.load(panel, emit.mul(k, emit.lanes)) for panel in panels]
            added = list(carried)
            for row in range(rows):
                slope = emit.spread(slopes, emit.add(emit.mul(row_floats, row), k))
                for column, part in enumerate(parts):
                    added[column * rows + row] = emit.fma(slope, part, added[column * rows + row])
            return added

        return emit.loop(self.group.units, total, turn)

    def _collect_inputs(self, place: Int, t: Int) -> None:
        group, emit = self.group, self.group.emit
        blocks = emit.blocks(group.features)
        width = emit.mul(blocks, emit.lanes)
        per_row = emit.mul(group.steps, group.features)

        def turn(block: Any, _: list[Any]) -> None:
            start = emit.mul(block, emit.lanes)
            inside = emit.mask(emit.sub(group.features, start))
            for row in range(group.rows):
                source = emit.at(group.row_of("x", row, per_row), emit.mul(t, group.features))
                target = emit.add(emit.mul(emit.add(place, row), width), start)
                emit.store(emit.load_some(inside, source, start), self.inputs, target)

        emit.loop(blocks, [], turn)

    def flush(self, count: Int, gradients: Int) -> None:
        """Emit the gradients of the weights of `count` collected rows."""
        group, emit = self.group, self.group.emit
        cell = group.cell
        width = emit.mul(emit.blocks(group.features), emit.lanes)
        of_u = gradients
        of_middle = emit.at(of_u, emit.mul(group.width, group.units, len(cell.from_state)))
        of_w = emit.at(of_middle, emit.mul(group.width, group.units, len(cell.from_middle)))
        of_bias = emit.at(of_w, emit.mul(group.width, group.features, len(cell.from_input)))
        states = Factor(target=of_u, inner=group.units, gates=cell.from_state, values=self.states, stride=group.width)
        inputs = Factor(target=of_w, inner=group.features, gates=cell.from_input, values=self.inputs, stride=width)
        self._gradient(states, count)
        if cell.from_middle:
            middles = Factor(
                target=of_middle, inner=group.units, gates=cell.from_middle, values=self.middles, stride=group.width
            )
            self._gradient(middles, count)
        self._gradient(inputs, count)
        self._bias_gradient(of_bias, count)

    def _gradient(self, factor: Factor, count: Int) -> None:
        """Emit target += values transposed times slopes, over the collected rows."""
        emit = self.group.emit

        def block(block: Any, start: Any) -> None:
            base = emit.at(factor.target, emit.mul(block, factor.inner, len(factor.gates) * emit.lanes))
            where = (base, emit.at(self.slopes, start), count)
            done: Any = emit.whole(0)
            for size in (self.group.tile.inner, 2, 1):  # what is left over goes in smaller tiles
                many = emit.builder.sdiv(emit.sub(factor.inner, done), emit.whole(size))
                self._ranks(factor, done, many, size, where)
                done = emit.add(done, emit.mul(many, size))

        self.group.each_block(block)

    def _ranks(self, factor: Factor, first: Int, many: Int, size: int, where: tuple[Int, Int, Int]) -> None:
        """Emit the gradients of many tiles of inputs or states, from the first on."""
        emit = self.group.emit
        emit.loop(many, [], lambda k, _: self._rank(factor, emit.add(first, emit.mul(k, size)), size, where))

    def _rank(self, factor: Factor, k: Int, inners: int, block: tuple[Int, Int, Int]) -> None:
        """Emit the gradients of some inputs or states, one block, all gates."""
        emit, many = self.group.emit, len(factor.gates)
        base, slopes, count = block
        width, lanes = self.group.width, emit.lanes
        places = [emit.add(emit.mul(k, many * lanes), position * lanes) for position in range(inners * many)]

        def turn(row: Any, carried: list[Any]) -> list[Any]:
            at = emit.mul(row, width, self.group.cell.sums)
            columns = [emit.load(slopes, emit.add(at, emit.mul(width, gate))) for gate in factor.gates]
            added = list(carried)
            for inner in range(inners):
                value = emit.spread(factor.values, emit.add(emit.mul(row, factor.stride), k, inner))
                for position, column in enumerate(columns):
                    added[inner * many + position] = emit.fma(value, column, added[inner * many + position])
            return added

        total = emit.loop(count, [emit.load(base, place) for place in places], turn)
        for place, vec in zip(places, total, strict=True):
            emit.store(vec, base, place)

    def _bias_gradient(self, target: Int, count: Int) -> None:
        group, emit = self.group, self.group.emit
        sums, lanes = group.cell.sums, emit.lanes

        def block(block: Any, start: Any) -> None:
            base = emit.at(target, emit.mul(block, sums * lanes))

            def turn(row: Any, carried: list[Any]) -> list[Any]:
                at = emit.add(emit.mul(row, group.width, sums), start)
                return [
                    one + emit.load(self.slopes, emit.add(at, emit.mul(group.width, position)))
                    for position, one in enumerate(carried)
                ]

            total = emit.loop(count, [emit.load(base, position * lanes) for position in range(sums)], turn)
            for position, vec in enumerate(total):
                emit.store(vec, base, position * lanes)

        group.each_block(block)
