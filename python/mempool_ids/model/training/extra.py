"""The optional dependencies of training, imported when they are needed."""

from importlib import import_module
from types import ModuleType

from mempool_ids.exceptions import MempoolIdsError


class MissingExtraError(MempoolIdsError):
    """A package that only training needs is not installed."""


def needs(module: str) -> ModuleType:
    """`module`, imported.

    Raises `MissingExtraError` that names the extra to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split(".")[0].replace("sklearn", "scikit-learn")
        raise MissingExtraError(
            f"training needs {package} ({error}): pip install 'mempool-ids[train]'"
        ) from error
