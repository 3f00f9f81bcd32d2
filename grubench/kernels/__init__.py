"""Fused recurrent kernels for processors without a GPU, compiled by LLVM for the processor at hand.

`cells` has the mathematics, `vector` the machinery that emits vector code, `group`, `forward`, `backward` and `packing`
the order of the work, `machine` compiles and caches it, `recurrence` runs it on NumPy arrays with `plan`, `workers` and
`buffers`, and `layer` puts it behind stock Keras layers.
"""
