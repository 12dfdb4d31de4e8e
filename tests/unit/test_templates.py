"""People's templates: what they may do, and that nothing in them reaches out, grows or goes on for long."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fencepost.errors import Invalid
from fencepost.templates import LiquidError, compiled
from tests.support.schedules import definition

MOST_SECONDS, MOST_BYTES = 2.0, 768 * 2**20
"""Of processor time for one template, half of it for slow machines; and of memory for the process that tries them all."""

REACHING_OUT = {
    "a class": "{{ name.__class__.__mro__ }}",
    "a method": "{{ name.upper }}{{ name.format }}",
    "a global": "{{ self }}{{ request }}{{ config }}",
    "a file": '{% include "/etc/passwd" %}',
    "a template": '{% render "../secrets" %}',
    "an item of a text": '{{ name["__class__"] }}',
    "an unknown filter": "{{ name | attr: '__class__' }}",
}
GROWING = {
    "doubling": '{% assign a = "xxxxxxxx" %}{% for i in (1..40) %}{% assign a = a | append: a %}{% endfor %}',
    "doubling by capture": '{% assign a = "x" %}{% for i in (1..99) %}{% capture b %}{{a}}{{a}}{% endcapture %}{% assign a = b %}{% endfor %}',
    "replacing": '{{ "xxxxxxxxxx"' + ' | replace: "x", "xxxxxxxxxx"' * 9 + " }}",
    "joining": '{{ (1..9999) | join: "' + "x" * 9_000 + '" }}',
    "unrolling": '{{ (1..100000000) | join: "x" }}',
    "sorting a range": "{{ (1..100000000) | sort | size }}",
    "a range beyond all": "{{ (1..99999999999999999999999) | size }}",
    "squaring": "{% assign n = 99999 %}{% for i in (1..26) %}{% assign n = n | times: n %}{% endfor %}{{ n }}",
}
GOING_ON = {
    "a long loop": "{% for i in (1..100000000) %}{% endfor %}",
    "loops in loops": "{% for i in (1..9999) %}{% for j in (1..9999) %}{% endfor %}{% endfor %}",
    "a long table": "{% tablerow i in (1..100000000) %}x{% endtablerow %}",
    "loop after loop": '{% for i in (1..9999) %}{{ "" }}{% endfor %}' * 9_000,
    "a large body": "{% for i in (1..9999) %}" + '{{""}}' * 80_000 + "{% endfor %}",
    "lines of one tag": "{% for i in (1..9999) %}{% liquid " + "\nassign a = 1" * 30_000 + " %}{% endfor %}",
    "filters in a loop": '{% assign b = "'
    + "x" * 9_000
    + '" | split: "" %}{% for i in (1..90) %}{{ b | uniq | sort | size }}{% endfor %}',
    "never closed": "{{" * 100_000,
    "closed by another": "{{ %}" * 90_000,
    "raw without end": "{% raw %}" * 50_000,
    "doc without end": "{% doc %}" * 50_000,
    "comments without end": "{% comment %}" * 40_000 + "{{",
    "spaces": "{{" + " " * 200_000 + "}}",
    "some spaces": ("{{" + " " * 50 + "}}") * 9_000,
    "brackets": "{{ " + "a[" * 900 + "1" + "]" * 900 + " }}",
    "parentheses": "{{ " + "(" * 3_000 + " }}",
    "conditions": "{% if " + " or ".join(["x"] * 3_000) + " %}{% endif %}",
    "blocks": "{% if true %}" * 2_000 + "{% endif %}" * 2_000,
    "a long number": '{{ "' + "9" * 5_000 + '" | times: 2 }}',
}
HARMLESS = {
    "a property of each": '{{ name | map: "__class__" }}{{ "x" | where: "__class__" | size }}',
    "tags that are none": '{% assign b = "'
    + "<" * 4_900
    + '" %}{% for i in (1..99) %}{{ b | strip_html | size }}{% endfor %}',
    "scripts without end": '{% assign b = "'
    + "<script" * 700
    + '" %}{% for i in (1..99) %}{{ b | strip_html | size }}{% endfor %}',
    "a wide date": '{{ "now" | date: "%1000000000d" }}',
    "rounding": "{{ 1.5 | round: 100000000 }}{{ 12345678 | round: -100000000 }}",
}
REFUSED = {**REACHING_OUT, **GROWING, **GOING_ON}


def tried(source: str) -> str:
    """`refused`, or `filled` with a result that is no secret."""
    try:
        result = compiled(source, html=True).render(name="Ann", email="ann@example.com")
    except LiquidError:
        return "refused"
    return "leaked" if "class" in result or "root:" in result else "filled"


def try_all() -> None:
    """In a process of its own, which may be killed: say of each what came of it, and how long that took."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    for name, source in {**REFUSED, **HARMLESS}.items():
        print(json.dumps({"begun": name}), flush=True)
        before = time.process_time()
        outcome = tried(source)
        print(json.dumps({"name": name, "outcome": outcome, "seconds": time.process_time() - before}), flush=True)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, tuple[str, float]]:
    command = [sys.executable, "-c", "from tests.unit import test_templates as t; t.try_all()"]
    root = Path(__file__).resolve().parents[2]
    child = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    assert child.returncode == 0, (lines[-1:], child.stderr[-2000:])
    return {line["name"]: (line["outcome"], line["seconds"]) for line in lines if "name" in line}


def test_nothing_reaches_out_grows_or_goes_on(outcomes: dict[str, tuple[str, float]]) -> None:
    assert {name: outcome for name, (outcome, _) in outcomes.items() if name in REFUSED and outcome != "refused"} == {}
    assert {name: outcome for name, (outcome, _) in outcomes.items() if name in HARMLESS and outcome != "filled"} == {}


def test_each_is_over_soon(outcomes: dict[str, tuple[str, float]]) -> None:
    assert {name: seconds for name, (_, seconds) in outcomes.items() if seconds > MOST_SECONDS} == {}


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("Hello {{ name }}, {{ n | times: 3 }}", "Hello Ann & Bo, 21"),
        ("{% for i in (1..3) %}{{ i }}{% unless forloop.last %}, {% endunless %}{% endfor %}", "1, 2, 3"),
        ('{{ "a,b,a" | split: "," | uniq | join: "-" | upcase }}', "A-B"),
        ("{% if n > 5 and name contains 'Bo' %}yes{% endif %}", "yes"),
        ("{% capture a %}{{ name | replace: '&', 'and' }}{% endcapture %}{{ a }}", "Ann and Bo"),
        ("{% raw %}{{ name }}{% endraw %}", "{{ name }}"),
        (
            "{% assign total = 0 %}{% for i in (1..500) %}{% assign total = total | plus: i %}{% endfor %}{{ total }}",
            "125250",
        ),
    ],
)
def test_what_a_mail_wants_is_filled_in(source: str, result: str) -> None:
    assert compiled(source, html=False).render(name="Ann & Bo", n=7) == result


def test_values_are_escaped_in_html_and_never_read_as_templates() -> None:
    assert compiled("<b>{{ name }}</b>", html=True).render(name="<i>{{ n }}") == "<b>&lt;i&gt;{{ n }}</b>"


def test_one_rendering_takes_nothing_from_the_next() -> None:
    template = compiled('{% for i in (1..900) %}{{ a | append: "x" | size }}{% endfor %}', html=False)
    for _ in range(5):
        assert template.render(a="x" * 800)


def test_a_text_that_takes_too_long_for_all_its_recipients_together_is_refused() -> None:
    slow = "{% for i in (1..9999) %}{{ i }}{% endfor %}"
    began = time.thread_time()
    with pytest.raises(Invalid) as refusal:
        definition(to=[f"r{number}@example.com" for number in range(5_000)], message={"text": slow})
    assert time.thread_time() - began < 20
    [problem] = refusal.value.problems
    assert problem.pointer == "/message/text"
    assert "takes too long" in problem.detail
