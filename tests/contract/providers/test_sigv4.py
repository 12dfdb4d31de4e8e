"""AWS's signature: the examples that AWS publishes, and requests that botocore 1.44.8's SigV4Auth signed with the same key.

botocore itself is no requirement of the tests: it holds python-dateutil back to a version that Fencepost does not use.
"""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from fencepost.providers.sigv4 import Signer

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
"""Those of AWS's published examples."""
PUBLISHED_AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}

Case = tuple[str, str, dict[str, str], bytes, datetime, str, str, str]
EXAMPLES: dict[str, Case] = {
    "published: get-vanilla": (
        "GET",
        "https://example.amazonaws.com/",
        {},
        b"",
        PUBLISHED_AT,
        "us-east-1",
        "service",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "published: post-vanilla": (
        "POST",
        "https://example.amazonaws.com/",
        {},
        b"",
        PUBLISHED_AT,
        "us-east-1",
        "service",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "published: IAM's ListUsers": (
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        FORM,
        b"",
        PUBLISHED_AT,
        "us-east-1",
        "iam",
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    ),
    "botocore: a body": (
        "POST",
        "https://email.eu-central-1.amazonaws.com/v2/email/outbound-emails",
        JSON,
        '{"a":"größer"}'.encode(),
        datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC),
        "eu-central-1",
        "ses",
        "e309060db6c3d5827adc18d9d75b3999e7b4f61547b917c4b73ac0ad5f5fff04",
    ),
    "botocore: a port": (
        "POST",
        "http://127.0.0.1:5080/v2/email/outbound-emails",
        JSON,
        b"{}",
        datetime(2026, 12, 31, 0, 0, 1, tzinfo=UTC),
        "us-east-1",
        "ses",
        "d538c15c0984480e4a24420959ca6ecfcdcc28245e32d163c877ca53bd827191",
    ),
    "botocore: an encoded path, and a query out of order": (
        "GET",
        "https://email.us-west-2.amazonaws.com/v2/email/insights/a%2Fb%20c/?b=2&a=%C3%A4&a=",
        JSON,
        b"",
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "us-west-2",
        "ses",
        "c533c248c7c955708505f2c5dc6d40965e4b6e7732a8a5f90bcbdd41bb22aca3",
    ),
}


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "at", "region", "service", "signature"), EXAMPLES.values(), ids=EXAMPLES.keys()
)
def test_it_is_the_signature_that_others_make(
    method: str, url: str, headers: dict[str, str], body: bytes, at: datetime, region: str, service: str, signature: str
) -> None:
    signed = Signer(KEY, SECRET, region, service).sign(method, url, headers, body, at)
    names = ";".join([*(name.lower() for name in headers), "host", "x-amz-date"])
    assert signed == {
        **headers,
        "X-Amz-Date": f"{at:%Y%m%dT%H%M%SZ}",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{at:%Y%m%d}/{region}/{service}/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}",
    }


def test_the_instant_is_signed_in_utc() -> None:
    signer, url = Signer(KEY, SECRET, "us-east-1", "ses"), "https://example.amazonaws.com/"
    here = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert signer.sign("GET", url, {}, b"", here) == signer.sign("GET", url, {}, b"", here.astimezone(UTC))
    assert signer.sign("GET", url, {}, b"", here)["X-Amz-Date"] == "20260228T233000Z"


def test_a_byte_more_is_another_signature() -> None:
    signer, url = Signer(KEY, SECRET, "us-east-1", "ses"), "https://example.amazonaws.com/"
    seen = {
        signer.sign("POST", url, {}, b"a", PUBLISHED_AT)["Authorization"],
        signer.sign("POST", url, {}, b"b", PUBLISHED_AT)["Authorization"],
        signer.sign("POST", url + "x", {}, b"a", PUBLISHED_AT)["Authorization"],
        signer.sign("POST", url, {"X-A": "1"}, b"a", PUBLISHED_AT)["Authorization"],
        Signer(KEY, SECRET + "x", "us-east-1", "ses").sign("POST", url, {}, b"a", PUBLISHED_AT)["Authorization"],
    }
    assert len(seen) == 5
