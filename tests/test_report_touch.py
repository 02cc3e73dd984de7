"""The report's charts under a mouse, under fingers and on paper."""

import re

import pytest
from devtools import CHROMIUM, Browser
from stories import large_story

from hpsearch.report.facts import gather
from hpsearch.report.html import page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here to open the page in")
DESK, PHONE = (1280, 900), (390, 844)
PICKED = "document.getElementById('picked').textContent"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(page(gather(large_story(60, classes=4))), encoding="utf-8")
    return file


def line(start, end, steps=6):
    return [tuple(a + (b - a) * step / steps for a, b in zip(start, end, strict=True)) for step in range(steps + 1)]


def test_a_drag_along_an_axis_picks_trials_and_a_click_lets_go(file, tmp_path):
    with Browser(tmp_path / "browser", DESK) as browser:
        browser.open(file, "parallel")
        left, top, width, height = browser.box(".strip")
        middle = left + width / 2

        browser.drag(line((middle, top + 0.2 * height), (middle, top + 0.5 * height)))
        picked = browser.until(PICKED)
        browser.drag([(middle, top + 0.9 * height)])
        browser.until(f"!{PICKED}")

    count, trials = re.fullmatch(r"(\d+) of (\d+) trials by units_1, the best first: .*show all", picked).groups()
    assert 0 < int(count) < int(trials)
    assert len(re.findall(r"\d+ \(0\.\d+\)", picked)) == min(24, int(count))


def test_two_axes_pick_those_that_lie_in_both_and_a_button_shows_all(file, tmp_path):
    with Browser(tmp_path / "browser", DESK) as browser:
        browser.open(file, "parallel")
        counts = []
        for axis in (0, 1):
            left, top, width, height = browser.box(".strip", axis)
            browser.drag(line((left + width / 2, top + 0.1 * height), (left + width / 2, top + 0.6 * height)))
            names = "units_1 and learning_rate" if axis else "units_1"
            told = browser.until(f"{PICKED}.includes('by {names},') && {PICKED}")
            counts.append(int(told.split()[0]))

        browser.run("document.querySelector('#picked button').click()")
        browser.until(f"!{PICKED}")

    assert counts[0] > counts[1]


def test_a_finger_picks_trials_on_a_phone_and_can_still_scroll(file, tmp_path):
    with Browser(tmp_path / "browser", PHONE, touch=True) as browser:
        browser.open(file, "parallel")
        left, top, width, height = browser.box(".strip")
        middle = top + height / 2

        browser.swipe(line((left + 0.3 * width, middle), (left + 0.7 * width, middle)))
        picked = browser.until(PICKED)
        before = browser.run("scrollY")
        browser.swipe(line((left + 0.5 * width, middle), (left + 0.5 * width, middle - 200)))
        after = browser.until(f"scrollY !== {before} && scrollY")
        again = browser.run(PICKED)

    assert "trials by units_1, the best first" in picked
    assert after > before
    assert again == picked


def test_a_tap_on_a_point_tells_its_trial(file, tmp_path):
    with Browser(tmp_path / "browser", PHONE, touch=True) as browser:
        browser.open(file, "history")
        left, top, width, height = browser.box("[data-chart=history] .point", 30)

        browser.swipe([(left + width / 2, top + height / 2)])
        told = browser.until("document.querySelector('[data-chart=history] .hoverlayer').textContent")

    assert re.match(r"trial \d+ \w+.*val_accuracy = 0\.\d+", told)


def test_names_of_axes_keep_apart_at_the_width_of_paper(file, tmp_path):
    with Browser(tmp_path / "browser", (740, 900)) as browser:
        browser.open(file, "parallel")
        names = browser.run(
            "[...document.querySelectorAll('[data-chart=parallel] .xtick')].map((one) => {"
            " const box = one.getBoundingClientRect(); return [box.left, box.right, box.top, box.bottom]; })"
        )
        paper = browser.printed()

    texts = sorted(names)
    assert len(texts) > 5
    for one, other in ((texts[a], texts[b]) for a in range(len(texts)) for b in range(a)):
        apart = other[1] <= one[0] or one[1] <= other[0] or other[3] <= one[2] + 2 or one[3] <= other[2] + 2
        assert apart, (one, other)
    assert paper.startswith(b"%PDF")
