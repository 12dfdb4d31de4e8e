"""The simulator's own reader of forms, against writers that are not its own."""

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from simulator.forms import Malformed, Upload, read

TEXT = st.text(st.characters(codec="utf-8"))
NAMES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters='"\\%'), min_size=1)


@given(st.lists(st.tuples(NAMES, TEXT), min_size=1))
def test_what_requests_writes_is_read_back(pairs: list[tuple[str, str]]) -> None:
    expected: dict[str, list[str]] = {}
    for name, value in pairs:
        expected.setdefault(name, []).append(value)
    multipart = requests.Request("POST", "http://x.example/", files=[(name, (None, value)) for name, value in pairs])
    urlencoded = requests.Request("POST", "http://x.example/", data=pairs)
    for request in (multipart.prepare(), urlencoded.prepare()):
        body = request.body
        assert body is not None
        data = body.encode() if isinstance(body, str) else body
        assert isinstance(data, bytes)
        assert read(request.headers["Content-Type"], data) == (expected, [])


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("", b""),
        ("text/plain", b"a=b"),
        ("multipart/form-data", b"--x\r\n--x--"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n--x--'),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nb\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\nb\r\n--x--"),
    ],
)
def test_what_is_no_form_is_malformed(content_type: str, body: bytes) -> None:
    with pytest.raises(Malformed):
        read(content_type, body)


def test_a_filename_is_not_a_name() -> None:
    body = b'--x\r\nContent-Disposition: form-data; filename="f"; name="a"\r\n\r\nb\r\n--x--\r\n'
    assert read("multipart/form-data; boundary=x", body) == ({}, [Upload("a", "f", "application/octet-stream", b"b")])


@given(NAMES, st.binary(min_size=1))
def test_a_file_that_requests_writes_is_read_back_byte_for_byte(filename: str, content: bytes) -> None:
    written = requests.Request("POST", "http://x.example/", files=[("a", (filename, content, "image/png"))]).prepare()
    assert isinstance(written.body, bytes)
    assert read(written.headers["Content-Type"], written.body) == ({}, [Upload("a", filename, "image/png", content)])
