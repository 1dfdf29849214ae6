"""What the tests of every optimizer start from."""

import pytest

from tests.optim.every import OPTIMIZERS


@pytest.fixture(params=OPTIMIZERS)
def make(request):
    """Makes the optimizer for a model, or for some of its parameters."""
    return lambda model, params=None: OPTIMIZERS[request.param](model, model.parameters() if params is None else params)
