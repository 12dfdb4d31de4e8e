"""The Markdown of our own reports, and what is not Markdown of ours."""

import pytest

from frontend.markdown import Block, Span, read, spans


def text(*words: str) -> tuple[Span, ...]:
    return tuple(Span("text", word) for word in words)


def test_a_document_is_read_block_by_block() -> None:
    document = "# Title #\nOne line\nand another\n\n- first\n  goes on\n* second\n\n## Part\n```sh\nmake  chaos\n# no heading\n```\nEnd"
    assert read(document) == [
        Block("heading", level=1, lines=(text("Title"),)),
        Block("paragraph", lines=(text("One line and another"),)),
        Block("list", lines=(text("first goes on"), text("second"))),
        Block("heading", level=2, lines=(text("Part"),)),
        Block("code", code="make  chaos\n# no heading"),
        Block("paragraph", lines=(text("End"),)),
    ]


def test_a_table_has_as_many_cells_in_each_row_as_in_its_head() -> None:
    [table] = read("| fault | lost |\n|:--|--:|\n| a \\| b | 0 |\n| short |\n| long | 1 | 2 |")
    assert table.kind == "table"
    assert table.lines == (text("fault"), text("lost"))
    assert table.right == (False, True)
    assert table.rows == ((text("a | b"), text("0")), (text("short"), ()), (text("long"), text("1")))


def test_code_and_weight_are_told_apart_from_text() -> None:
    assert spans("**0** lost by `a **b**`") == (
        Span("strong", "0"),
        Span("text", " lost by "),
        Span("code", "a **b**"),
    )


@pytest.mark.parametrize(
    "line", ["<script>alert(1)</script>", "[here](javascript:alert(1))", "| no table", "####### seven", "**half", "---"]
)
def test_what_is_nothing_of_ours_stays_text(line: str) -> None:
    assert read(line) == [Block("paragraph", lines=(text(line),))]


@pytest.mark.parametrize("document", ["", "\n\n", "```\nnever ends", "|\n|-", "| |\n|---|", "- ", "#", "|a|\n|-|\n|"])
def test_nothing_makes_it_stumble(document: str) -> None:
    read(document)
