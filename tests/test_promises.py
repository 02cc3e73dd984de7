"""Every promise of docs/reliability.md has a test, or stands on the page as one without."""

import re
from pathlib import Path

import pytest
from promises import PAGE, promised, shown, untested

TEXT = PAGE.read_text(encoding="utf-8")
TESTS = shown(Path(__file__).parent)


def test_each_promise_stands_on_the_page_once():
    numbers = promised(TEXT)

    wanted = [f"{table}{n}" for table, last in (("", 64), ("P", 25), ("H", 48)) for n in range(1, last + 1)]
    assert numbers == wanted, f"not there, or not wanted: {', '.join(sorted({*numbers} ^ {*wanted}))}"


def test_no_test_shows_a_promise_that_is_not_on_the_page():
    unknown = {number: tests for number, tests in TESTS.items() if number not in promised(TEXT)}

    assert not unknown


def test_every_promise_has_a_test_or_is_listed_as_without():
    missing = [number for number in promised(TEXT) if number not in TESTS and number not in untested(TEXT)]

    assert not missing, f"neither carried by a test nor listed as without one: {', '.join(missing)}"


def test_nothing_is_listed_as_without_a_test_that_has_one():
    shown_after_all = [number for number in untested(TEXT) if number in TESTS]

    assert not shown_after_all, f"take these off the list, they have tests: {', '.join(shown_after_all)}"


def test_what_is_listed_as_without_a_test_is_a_promise_listed_once():
    listed = untested(TEXT)

    assert set(listed) <= set(promised(TEXT))
    assert len(listed) == len(set(listed))


def test_the_programs_named_on_the_page_are_there():
    named = re.findall(r"`(?:\w+ )?((?:tests|benchmarks)/[\w/]+\.py)", TEXT)

    assert named
    assert [name for name in named if not (PAGE.parents[1] / name).is_file()] == []


@pytest.mark.parametrize(
    "source",
    [
        '@pytest.mark.promise("7", "P1")\ndef test_it(): ...',
        '@pytest.mark.promise(*(f"{n}" for n in (7,)), "P1")\nclass test_it: ...',
        'pytestmark = pytest.mark.promise("7", "P1")',
        'CASES = [pytest.param(1, marks=[pytest.mark.promise("7"), pytest.mark.promise("P1")])]',
    ],
)
def test_a_mark_is_found_wherever_it_stands(tmp_path, source):
    (tmp_path / "test_some.py").write_text(source, encoding="utf-8")

    found = shown(tmp_path)

    assert set(found) == {"7", "P1"}
    assert all(test.startswith("test_some.py") for tests in found.values() for test in tests)


def test_only_bullets_with_a_reason_count_as_listed():
    page = "\n## Without a test yet\n\n- 7: not built\n- P1\n- H2: \n\n## More\n\n- 8: of another list\n"

    listed = untested(page)

    assert listed == ["7"]
