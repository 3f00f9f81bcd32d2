"""Fused CPU kernels: GRU, LSTM and simple RNN networks, trained in code that LLVM compiles for this processor.

What is computed: `cells` (the equations), `activations`, `dropout`, `head` (the Dense layer), `head_activation`,
`losses`, `optimizers`, each beside its formula.
How it is emitted: `integer_emitter` and `emitter` (SIMD code), `forward` and `backward` (a layer's passes over all
steps), `tile` (the rows that a function computes), `transposed_product` and `weight_gradients` (the matrix products of
the backward pass), `step_parts` (batches, clipping, updates), `packing` (layouts), `tape` (many steps without Python),
`arguments` (what a function takes).
How it is compiled: `modules` (which functions there are), `processor`, `compiler`, `code_cache`.
How it is run: `network` (NumPy in and out), `flat_weights` (the weights in memory), `batch_memory` and `buffers` (all
other memory), `schedule` (which thread calls what), `pass_tables` and `weight_tables` (with which arguments),
`partition` (of a batch), `threads` (the thread pool).
"""
