import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import coffee


@pytest.fixture(scope="session")
def scene() -> NDArray[np.uint8]:
    """A photograph, (400, 600, 3); treat it as read-only."""
    return np.ascontiguousarray(coffee()[..., ::-1])
