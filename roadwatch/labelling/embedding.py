"""What the network saw of pictures, before its head: near in it are vehicles that look alike."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.preprocessing import Image
from models.verdicts import Classify
from processors.pictures import decode
from schemas.errors import PictureError

BATCH: Final = 32
"Pictures that are decoded at once."

Embedding = NDArray[np.float32]
"float32, D."


def embeddings_of(
    classify: Classify, pictures: Iterable[tuple[str, bytes]], max_pixels: int
) -> Iterator[tuple[str, Embedding]]:
    """Give each picture's embedding by its name; what is no picture is left out, and so is all where the model gives none."""
    images = _decoded(pictures, max_pixels)
    while together := list(islice(images, BATCH)):
        embedding = classify([image for _, image in together]).embedding
        if embedding.shape[1]:
            yield from zip((name for name, _ in together), embedding, strict=True)


def _decoded(pictures: Iterable[tuple[str, bytes]], max_pixels: int) -> Iterator[tuple[str, Image]]:
    for name, jpeg in pictures:
        try:
            yield name, decode(jpeg, max_pixels=max_pixels)
        except PictureError:
            continue
