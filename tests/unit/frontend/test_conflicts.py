"""Two edits of one schedule."""

from frontend.conflicts import Change, fingerprint, merge

OPENED = {"name": "Report", "subject": "Hello", "text": "one\ntwo"}


def test_each_keeps_what_only_they_changed() -> None:
    mine, theirs = OPENED | {"name": "Mine"}, OPENED | {"subject": "Theirs"}
    merged, changes = merge(fingerprint(OPENED), mine, theirs)
    assert merged == {"name": "Mine", "subject": "Theirs", "text": "one\ntwo"}
    assert changes == [Change("subject", now="Theirs", mine="Hello", clash=False)]


def test_where_both_changed_one_field_the_reader_keeps_theirs_and_is_told() -> None:
    merged, changes = merge(fingerprint(OPENED), OPENED | {"name": "Mine"}, OPENED | {"name": "Theirs"})
    assert merged["name"] == "Mine"
    assert changes == [Change("name", now="Theirs", mine="Mine", clash=True)]


def test_the_same_change_twice_is_no_clash() -> None:
    both = OPENED | {"name": "Both"}
    assert merge(fingerprint(OPENED), both, both) == (both, [])


def test_line_breaks_of_a_browser_are_no_change() -> None:
    merged, changes = merge(fingerprint(OPENED), OPENED | {"text": "one\r\ntwo"}, OPENED | {"text": "three"})
    assert merged["text"] == "three"
    assert not changes[0].clash


def test_without_a_fingerprint_nothing_of_the_reader_is_dropped() -> None:
    for unreadable in ("", "[]", "{"):
        merged, changes = merge(unreadable, OPENED | {"name": "Mine"}, OPENED)
        assert merged["name"] == "Mine"
        assert [change.field for change in changes] == ["name"]
