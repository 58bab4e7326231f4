"""The C library that both the core and Python run models with."""

import importlib.util
from pathlib import Path

from mempool_ids.exceptions import ModelError


def onnxruntime_library() -> Path:
    """ONNX Runtime's shared library, from the onnxruntime wheel, without importing the wheel.

    Raises:
        ModelError: onnxruntime is not installed, or has no such library.
    """
    spec = importlib.util.find_spec("onnxruntime")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        capi = Path(folder, "capi")
        for pattern in ("libonnxruntime.so.*", "libonnxruntime*.dylib"):
            found = sorted(capi.glob(pattern))
            if found:
                return found[0]
    raise ModelError("ONNX Runtime's library was not found: pip install 'onnxruntime>=1.22'")
