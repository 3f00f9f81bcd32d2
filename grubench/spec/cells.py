"""The recurrent cells: one record each, which all that speaks of cells reads.

A new cell is one record here. To run fast on a CPU it needs its formulas in `kernels/cells.py` too.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One recurrent cell.

    Attributes:
        name: What the settings call it.
        label: What tables and pictures call it.
        keras_class: The name of its layer in `keras.layers`.
        color: Its color in tables and pictures.
        gates: Blocks of weights, each of `units` columns: the gates and the candidate.
        has_recurrent_activation: Whether its gates have an activation that can be set.
        has_reset_after: Whether the reset gate can be applied after the matrix product; each gate then has two biases.
        has_fused_kernel: Whether `kernels/cells.py` has its formulas.
        cudnn_backends: The backends on which Keras has a cuDNN kernel for it.
        own_loop_backends: The backends on which Keras, without cuDNN, runs it in a loop of the backend's own and not in
            the generic loop over cells: `gru` and `lstm` in keras/src/backend/{torch,jax}/rnn.py.
    """

    name: str
    label: str
    keras_class: str
    color: str
    gates: int
    has_recurrent_activation: bool = True
    has_reset_after: bool = False
    has_fused_kernel: bool = False
    cudnn_backends: tuple[str, ...] = ()
    own_loop_backends: tuple[str, ...] = ()

    def count_parameters(self, units: int, inputs: int, *, reset_after: bool = True) -> int:
        """The trainable parameters of one layer in one direction: `gates units (units + inputs + biases)`.

        Args:
            units: Units of the layer.
            inputs: Inputs a step.
            reset_after: The setting of that name; it counts for a cell that has it.
        """
        biases = 2 if self.has_reset_after and reset_after else 1
        return self.gates * units * (units + inputs + biases)


CELLS = {
    cell.name: cell
    for cell in (
        Cell(
            name="gru",
            label="GRU",
            keras_class="GRU",
            color="#0072B2",
            gates=3,
            has_reset_after=True,
            has_fused_kernel=True,
            cudnn_backends=("tensorflow", "torch"),
            own_loop_backends=("torch", "jax"),
        ),
        Cell(
            name="lstm",
            label="LSTM",
            keras_class="LSTM",
            color="#D55E00",
            gates=4,
            has_fused_kernel=True,
            cudnn_backends=("tensorflow", "torch", "jax"),
            own_loop_backends=("torch",),
        ),
        Cell(
            name="rnn",
            label="RNN",
            keras_class="SimpleRNN",
            color="#009E73",
            gates=1,
            has_recurrent_activation=False,
            has_fused_kernel=True,
        ),
    )
}

# The cell that keeps its widths, or its epochs, where cells are matched by their parameters or their time.
REFERENCE = "lstm"
