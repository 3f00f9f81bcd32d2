"""The one place that imports Keras: with its engine chosen, TensorFlow's start kept quiet, and the import timed."""

import os
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_started = time.perf_counter()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

IMPORT_S = time.perf_counter() - _started

__all__ = ["IMPORT_S", "keras", "tf"]
