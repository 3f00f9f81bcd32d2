"""What a fork server imports: Keras with the backend that GRUBENCH_BACKEND names, and all that a trial needs.

A fork server can import modules and call nothing, so that this one, alone in grubench, works when it is imported.
Nothing else imports it.
"""

import importlib
from contextlib import suppress

from grubench.backends import loader
from grubench.errors import GrubenchError

with suppress(GrubenchError):  # the first trial meets it again, and says so
    loader.backend()
    importlib.import_module("grubench.training.trial")
    importlib.import_module("grubench.training.fused_fit")  # LLVM, which a trial imports only where it needs it
