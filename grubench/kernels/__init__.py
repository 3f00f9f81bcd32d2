"""Fused recurrent kernels for processors without a GPU, compiled by LLVM for the processor at hand.

`cells` has the mathematics, `emitter` the machinery that emits vector code, `tile`, `forward`, `backward` and
`packing` the order of the work, `compiler` compiles and caches it, `recurrence` runs it on NumPy arrays with
`partition`, `threads` and `buffers`, and `keras_layer` puts it behind stock Keras layers.
"""
