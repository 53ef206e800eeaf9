import io

import numpy as np
import pytest
from PIL import Image

from etram_pipeline.export.png import encode_png


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (1, 1, 3), (7, 5, 3), (360, 640, 3)])
def test_another_reader_gets_every_pixel(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    image = Image.open(io.BytesIO(encode_png(picture)))
    image.load()  # checks the sums
    assert image.mode == ("RGB" if len(shape) == 3 else "L")
    np.testing.assert_array_equal(np.asarray(image), picture)


def test_a_picture_that_does_not_lie_in_order_in_memory_is_encoded_all_the_same() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (3, 6, 8), np.uint8).transpose(1, 2, 0)
    np.testing.assert_array_equal(Image.open(io.BytesIO(encode_png(picture))), picture)


def test_background_takes_hardly_any_space() -> None:
    assert len(encode_png(np.zeros((360, 640, 3), np.uint8))) < 8000
