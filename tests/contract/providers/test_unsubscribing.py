"""The headers by which mail programs offer to unsubscribe (RFC 8058) pass through every provider."""

from dataclasses import replace

import pytest

from fencepost.providers import NAMES, create
from fencepost.providers.http import HttpRequest
from fencepost.settings import Providers
from fencepost.unsubscribing import headers
from tests.contract.providers.mails import MAIL, StandingClock

LINK = "https://post.example.com/unsubscribe/" + "a" * 120 + "." + "b" * 22


@pytest.mark.parametrize("name", NAMES)
def test_the_headers_are_in_the_request(name: str) -> None:
    provider = create(name, Providers(), StandingClock())
    request = provider.request(replace(MAIL, headers=headers(LINK)))
    body = (request.body if isinstance(request, HttpRequest) else request.text).decode()
    assert f"<{LINK}>" in body
    assert "List-Unsubscribe=One-Click" in body
