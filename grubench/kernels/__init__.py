"""Fused CPU kernels for recurrent layers (GRU, LSTM, simple RNN), compiled by LLVM for the processor at hand.

What a kernel computes: `cells` (the equations), `activations`, `forward` and `backward` (the passes over all steps),
`transposed_product` and `weight_gradients` (the matrix products of the backward pass), `packing` (the weights' layout).
How it is emitted: `emitter` (SIMD code), `tile` (the rows that a function computes), `arguments` (what it takes).
How it is compiled: `processor`, `compiler`, `code_cache`.
How it is run: `recurrence` (NumPy in and out), `weight_layout`, `partition` (of a batch), `threads` (the thread pool),
`buffers` (memory), and `keras_layer`, which puts it behind stock Keras layers.
"""
