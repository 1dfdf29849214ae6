"""Shared by the tests of experiments: models that only these know are known to no other test."""

import pytest

from nlcore.models import MODELS


@pytest.fixture(autouse=True)
def models_as_before():
    before = dict(MODELS)
    yield
    MODELS.clear()
    MODELS.update(before)
