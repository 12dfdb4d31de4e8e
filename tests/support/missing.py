"""What a test does when a server is not there: on a laptop it is skipped with the reason, in CI that is a failure."""

import os
from typing import NoReturn

import pytest


def missing(reason: object) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(str(reason), pytrace=False)
    pytest.skip(str(reason))
