"""The report's charts in a browser: as they are drawn, under a mouse, under fingers and on paper."""

import base64
import io
import json
import math
import re

import numpy as np
import pytest
from browser import CHROMIUM, browser
from PIL import Image
from stories import large_story

from hpsearch.report.facts import Facts, TrialFacts, gather
from hpsearch.report.html import page
from hpsearch.report.labour import Work
from hpsearch.space import Parameter

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here to open the page in")
DESK, PHONE, PAPER = (1280, 900), (390, 844), (718, 900)  # in pixels; paper is A4 less its margins
PICKED = "document.getElementById('picked').textContent"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(page(gather(large_story(60, classes=4))), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


def show(tab, file, part, size, **options):
    """Open the page in a window of this size, at the chart of this name."""
    tab.open("about:blank", *size)
    tab.wait("location.href === 'about:blank'")
    tab.said.clear()
    tab.asked.clear()
    tab.open(file.as_uri(), *size, **options)
    tab.wait("document.querySelector('html.drawn')")
    tab.run(f"{chart(part)}.scrollIntoView({{behavior: 'instant', block: 'center'}})")
    tab.wait(f"{chart(part)}.querySelector('.plot-container')")


def chart(name):
    """The chart's element, in JavaScript."""
    return f"document.querySelector('[data-chart={name}]')"


def box(tab, selector, at=0):
    """Left, top, width and height of an element."""
    found = f"document.querySelectorAll({json.dumps(selector)})[{at}].getBoundingClientRect()"
    return tab.run(f"(({{left, top, width, height}}) => [left, top, width, height])({found})")


def test_the_page_draws_under_its_own_policy_and_fetches_nothing(tab, tmp_path):
    large, picture = tmp_path / "large.html", tmp_path / "page.png"
    large.write_text(page(gather(large_story(60, classes=47))), encoding="utf-8")

    show(tab, large, "confusion", DESK)
    tab.picture(picture)
    said, asked = tab.said, tab.asked

    assert said == []  # nothing was refused, and nothing went wrong
    assert [address for address in asked if not address.startswith("data:")] == [large.as_uri()]
    pixels = np.asarray(Image.open(picture).convert("RGB")).reshape(-1, 3)
    diagonal = (np.abs(pixels.astype(int) - (0x0F, 0x2A, 0x7D)) < 25).all(axis=1).sum()
    assert diagonal > 1000  # of the confusion matrix, which is drawn by the library and coloured by the style


def test_charts_of_few_classes_write_numbers_where_there_are_some_and_nothing_elsewhere(tab, file):
    show(tab, file, "confusion", DESK)
    words = tab.run(
        "[...document.querySelectorAll('[data-chart=confusion] :is(text, tspan)')].map((one) => one.textContent)"
    )

    assert "read as" in words
    assert any(word.isdigit() for word in words)
    assert not {"null", "undefined", "NaN"} & set(words)


def written(folder, trials, **more):
    """The page of a study with these trials."""
    file = folder / "page.html"
    file.write_text(page(Facts(name="small", trials=trials, **more)), encoding="utf-8")
    return file


def test_axes_side_by_side_tell_whole_numbers_as_they_are_and_others_apart(tab, tmp_path):
    asked = (
        Parameter("units", "int", 32, low=32, high=1024),
        Parameter("wide", "int", 32, low=32, high=512, sampling="log"),
        Parameter("dropout", "float", 0.0, low=0.0, high=0.45),  # where floating point misses 0 by a hair
        Parameter("rate", "float", 1e-4, low=1e-4, high=1e-1, sampling="log"),
    )
    values = [{one.name: one.low for one in asked}, {one.name: one.high for one in asked}]
    trials = [TrialFacts(number, "completed", values[number], score) for number, score in enumerate((0.9987, 0.9953))]

    show(tab, written(tmp_path, trials, parameters=asked), "parallel", DESK)
    marks = tab.run(f"{chart('parallel')}.layout.annotations.map(({{text}}) => text)")

    assert marks == [
        *("32", "528", "1024"), *("32", "128", "512"), *("0", "0.225", "0.45"), *("0.0001", "0.0032", "0.1"),
        *("0.9953", "0.997", "0.9987"),
    ]  # fmt: skip


LAYERS = Parameter("layers", "int", 1, low=1, high=9, sampling="log")


@pytest.mark.parametrize(("most", "numbers"), [(2, [1, 2]), (3, [1, 2, 3]), (9, [1, 3, 9])])
def test_a_whole_number_stands_on_a_logarithmic_axis_where_it_is_and_once(tab, most, numbers, tmp_path):
    trials = [TrialFacts(number, "completed", {"layers": layers}, 0.5) for number, layers in enumerate((1, most))]

    show(tab, written(tmp_path, trials, parameters=(LAYERS,)), "parallel", DESK)
    marks = marks_of_the_first(tab)

    assert [number for number, _ in marks] == numbers
    low, high = marks[0][1], marks[-1][1]
    assert [(spot - low) / (high - low) for _, spot in marks] == pytest.approx([math.log(one, most) for one in numbers])


def test_a_logarithmic_axis_of_the_number_one_alone_is_marked_at_no_nought(tab, tmp_path):
    trials = [
        TrialFacts(0, "completed", {"layers": 1, "act": "elu"}, 0.5),
        TrialFacts(1, "completed", {"act": "relu"}, 0.5),
    ]

    show(tab, written(tmp_path, trials, parameters=(LAYERS,)), "parallel", DESK)
    marks = marks_of_the_first(tab)

    assert [number for number, _ in marks] == [1, 8]
    assert marks[0][1] == pytest.approx(0.5)


@pytest.mark.parametrize(("low", "high"), [(0.0011, 0.0018), (0.0022, 0.0045), (0.001, 0.5), (1, 2), (32, 64)])
def test_a_logarithmic_axis_has_numbers_however_narrow_it_is(tab, low, high, tmp_path):
    whole = isinstance(low, int)
    asked = Parameter("rate", "int" if whole else "float", low, low=low, high=high, sampling="log")
    trials = [TrialFacts(number, "completed", {"rate": one}, 0.5) for number, one in enumerate((low, high))]

    show(tab, written(tmp_path, trials, parameters=(asked,)), "slices", DESK)
    ticks = tab.run(f"[...{chart('slices')}.querySelectorAll('.xtick')].map((one) => one.textContent)")

    assert 2 <= len(ticks) <= 9
    assert len(set(ticks)) == len(ticks)
    assert all(float(one) and (one.isdigit() or not whole) for one in ticks)


def test_axes_side_by_side_are_told_apart_by_the_ends_of_long_names(tab, tmp_path):
    names = [f"units_of_the_dense_layer_{number}" for number in range(3)]
    trials = [TrialFacts(number, "completed", dict.fromkeys(names, number + 1), 0.5) for number in range(3)]

    show(tab, written(tmp_path, trials), "parallel", DESK)
    titles = tab.run(f"{chart('parallel')}.layout.xaxis.ticktext")

    assert titles[:3] == ["units_o…ayer_0", "units_o…ayer_1", "units_o…ayer_2"]


def test_long_names_of_metric_and_parameters_make_no_page_wider_than_a_phone(tab, tmp_path):
    names = [f"{'n' * 60}{number}" for number in range(2)]
    trials = [TrialFacts(number, "completed", dict.fromkeys(names, number + 1), 0.5) for number in range(3)]
    long = written(tmp_path, trials, objective=f"max {'m' * 60}")

    show(tab, long, "pair", PHONE, touch=True)
    widest, wide = tab.run("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")

    assert widest <= wide


def marks_of_the_first(tab):
    """The numbers along the first of the axes side by side, and where they stand."""
    found = tab.run(f"{chart('parallel')}.layout.annotations.map(({{text, x, y}}) => [text, x, y])")
    return [(int(text), spot) for text, axis, spot in found if axis == 0]


def test_curves_of_what_falls_show_their_lowest(tab, tmp_path):
    names = ("val_brier", "brier", "kl_divergence")  # the objective, its twin on the training rows, and a known metric
    best = TrialFacts(0, "completed", score=0.1, curves={name: [(1, 0.5), (2, 0.1)] for name in names})
    flat = {name: [(epoch, 0.5) for epoch in range(1, 6)] for name in names}
    trials = [best, *(TrialFacts(number, "completed", score=0.5, curves=flat) for number in range(1, 20))]

    show(tab, written(tmp_path, trials, objective="min val_brier"), "curves", DESK)
    lowest = {}
    for number in range(3):
        choose = f"(one.value = {number}, one.dispatchEvent(new Event('change')), one.selectedOptions[0].text)"
        name = tab.run(f"((one) => {choose})(document.getElementById('metric'))")
        lowest[name] = tab.run(f"{chart('curves')}.layout.yaxis.range[0]")

    assert set(lowest) == set(names)
    assert max(lowest.values()) < 0.1


def test_only_the_winner_is_red_among_the_curves(tab, tmp_path):
    curves = {"val_accuracy": [(1, 0.4), (2, 0.5)]}
    trials = [TrialFacts(0, "completed", score=0.5, curves=curves), TrialFacts(1, "failed", curves=curves)]

    show(tab, written(tmp_path, trials), "curves", DESK)
    style = "getComputedStyle(document.documentElement)"
    lines = f"{chart('curves')}.data.filter(({{mode}}) => mode === 'lines')"
    shades = tab.run(f"{lines}.map(({{line}}) => line.color)")
    soft, red = tab.run(f"['--soft', '--red'].map((name) => {style}.getPropertyValue(name))")

    assert shades == [soft, red]


@pytest.fixture
def mouse(tab):
    """Has the page believe that there is a mouse, which a browser without a window has not."""
    lie = "const asked = matchMedia; matchMedia = (one) => one === '(hover: hover)' ? { matches: true } : asked(one);"
    added = tab.order("Page.addScriptToEvaluateOnNewDocument", source=lie)["identifier"]
    yield
    tab.order("Page.removeScriptToEvaluateOnNewDocument", identifier=added)


@pytest.mark.usefixtures("mouse")
def test_a_chart_has_the_buttons_alone_that_do_something_there_and_hides_none_from_screen_readers(tab, file):
    buttons = {}
    for part in ("history", "parallel", "slices", "confusion"):
        show(tab, file, part, DESK)
        found = f"[...{chart(part)}.querySelectorAll('.modebar-btn')].map((one) => one.getAttribute('aria-label'))"
        buttons[part] = tab.run(found)
    roles = tab.run("[...document.querySelectorAll('[data-chart]')].map((one) => one.role)")

    save = "Download plot as a PNG"
    assert buttons == {
        "history": ["Zoom", "Pan", "Reset axes", save],
        "parallel": [save],
        "slices": [],
        "confusion": [save],
    }
    assert set(roles) == {"group"}  # in an "img" they would be silent stops


def test_a_chart_is_saved_as_a_picture_under_the_pages_policy(tab, file):
    """What the camera beside a chart does; a browser without a window has no mouse that would show it."""
    show(tab, file, "history", DESK)
    picture = tab.run(f"Plotly.toImage({chart('history')}, {{format: 'png', width: 300, height: 200}})")
    said = tab.said

    assert said == []
    assert Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))).size == (300, 200)


def test_a_chart_that_is_saved_in_dark_mode_has_its_ground(tab, file):
    show(tab, file, "history", DESK, dark=True)
    picture = tab.run(f"Plotly.toImage({chart('history')}, {{format: 'png', width: 300, height: 200}})")

    saved = Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))).convert("RGBA")
    assert saved.getpixel((1, 1)) == (0x10, 0x14, 0x1F, 0xFF)


def test_hundreds_of_classes_have_a_confusion_matrix(tab, tmp_path):
    many = tmp_path / "many.html"
    many.write_text(page(gather(large_story(4, classes=360))), encoding="utf-8")

    show(tab, many, "confusion", DESK)
    said = tab.said

    assert said == []


def test_labels_of_very_many_classes_and_workers_keep_apart(tab, tmp_path):
    facts, many = gather(large_story(4, classes=75)), tmp_path / "many.html"
    facts.work = [Work(lane, "search", 0.0, 1.0, "finished") for lane in range(64)]
    many.write_text(page(facts), encoding="utf-8")
    apart = {}

    for part in ("confusion", "timeline"):
        show(tab, many, part, DESK)
        tops = tab.run(
            f"[...{chart(part)}.querySelectorAll('.ytick text')].map((one) => one.getBoundingClientRect().top)"
        )
        apart[part] = min(np.diff(sorted(tops)))

    assert apart["confusion"] >= 12
    assert apart["timeline"] >= 15


def test_seconds_below_two_minutes_are_seconds_along_the_time(tab, tmp_path):
    work = [Work(0, "search", 0.0, 110.0, "finished")]

    show(
        tab,
        written(tmp_path, [TrialFacts(0, "completed", score=0.5)], work=work, session_spans=[(0, 110)]),
        "timeline",
        DESK,
    )

    assert tab.run(f"{chart('timeline')}.layout.xaxis.ticktext") == [f"{20 * mark} s" for mark in range(6)]


def test_values_that_lie_outside_of_the_learning_curves_are_told_of(tab, tmp_path):
    steady = {"val_accuracy": [(epoch, 0.9 + epoch / 1000) for epoch in range(1, 31)]}
    jump = {"val_accuracy": [(1, 0.1), *steady["val_accuracy"][1:]]}
    even = [TrialFacts(number, "completed", score=0.93, curves=steady) for number in (1, 2)]

    show(tab, written(tmp_path, even), "curves", DESK)
    whole = tab.run("document.getElementById('cut').textContent")
    show(tab, written(tmp_path, [*even, TrialFacts(3, "completed", score=0.93, curves=jump)]), "curves", DESK)
    cut = tab.run("document.getElementById('cut').textContent")

    assert whole == ""
    assert cut == "1 of the 90 values lies below the chart, so that the rest is not flattened."


def line(start, end, steps=6):
    return [tuple(a + (b - a) * step / steps for a, b in zip(start, end, strict=True)) for step in range(steps + 1)]


def test_a_drag_along_an_axis_picks_trials_and_a_click_lets_go(tab, file):
    show(tab, file, "parallel", DESK)
    left, top, width, height = box(tab, ".strip")
    middle = left + width / 2

    tab.stroke(line((middle, top + 0.2 * height), (middle, top + 0.5 * height)))
    picked = tab.wait(PICKED)
    tab.stroke([(middle, top + 0.9 * height)])
    tab.wait(f"!{PICKED}")

    count, trials = re.fullmatch(r"(\d+) of (\d+) trials by units_1, the best first: .*show all", picked).groups()
    assert 0 < int(count) < int(trials)
    assert len(re.findall(r"\d+ \(0\.\d+\)", picked)) == min(24, int(count))


def test_two_axes_pick_those_that_lie_in_both_and_a_button_shows_all(tab, file):
    show(tab, file, "parallel", DESK)
    counts = []
    for axis in (0, 1):
        left, top, width, height = box(tab, ".strip", axis)
        tab.stroke(line((left + width / 2, top + 0.1 * height), (left + width / 2, top + 0.6 * height)))
        names = "units_1 and learning_rate" if axis else "units_1"
        told = tab.wait(f"{PICKED}.includes('by {names},') && {PICKED}")
        counts.append(int(told.split()[0]))

    tab.run("document.querySelector('#picked button').click()")
    tab.wait(f"!{PICKED}")

    assert counts[0] > counts[1]


def test_a_finger_picks_trials_on_a_phone_and_can_still_scroll(tab, file):
    show(tab, file, "parallel", PHONE, touch=True)
    left, top, width, height = box(tab, ".strip")
    middle = top + height / 2

    tab.stroke(line((left + 0.3 * width, middle), (left + 0.7 * width, middle)), finger=True)
    picked = tab.wait(PICKED)
    before = tab.run("scrollY")
    tab.stroke(line((left + 0.5 * width, middle), (left + 0.5 * width, middle - 200)), finger=True)
    after = tab.wait(f"scrollY !== {before} && scrollY")
    again = tab.run(PICKED)

    assert "trials by units_1, the best first" in picked
    assert after > before
    assert again == picked


def test_pointing_at_a_line_between_two_axes_tells_its_trial(tab, tmp_path):
    trials = [TrialFacts(number, "completed", {"a": number, "b": (5 * number) % 7}, number / 7) for number in range(7)]
    show(tab, written(tmp_path, trials), "parallel", DESK)
    left, top, *_ = box(tab, "[data-chart=parallel]")
    axes = "(({xaxis, yaxis}) => [0, 1].map((one) => [xaxis, yaxis].map((axis) => axis._offset + axis.l2p(one))))"
    (first, bottom), (second, high) = tab.run(f"{axes}({chart('parallel')}._fullLayout)")

    halfway = (left + (first + second) / 2, top + (bottom + high) / 2)  # where trial 1 is half-way from 1 to 5
    tab.stroke([halfway], press=False, lift=False)
    told = tab.wait("document.querySelector('[data-chart=parallel] .hoverlayer').textContent")

    assert told.startswith("trial 1 completed")


def test_a_tap_on_a_point_tells_its_trial(tab, file):
    show(tab, file, "history", PHONE, touch=True)
    left, top, width, height = box(tab, "[data-chart=history] .point", 30)

    tab.stroke([(left + width / 2, top + height / 2)], finger=True)
    told = tab.wait("document.querySelector('[data-chart=history] .hoverlayer').textContent")

    assert re.match(r"trial \d+ \w+.*val_accuracy = 0\.\d+", told)


def test_names_of_axes_keep_apart_at_the_width_of_paper(tab, file):
    show(tab, file, "parallel", PAPER)
    names = tab.run(
        "[...document.querySelectorAll('[data-chart=parallel] .xtick')].map((one) => {"
        " const box = one.getBoundingClientRect(); return [box.left, box.right, box.top, box.bottom]; })"
    )
    paper = base64.b64decode(tab.order("Page.printToPDF")["data"])

    texts = sorted(names)
    assert len(texts) > 5
    for one, other in ((texts[a], texts[b]) for a in range(len(texts)) for b in range(a)):
        apart = other[1] <= one[0] or one[1] <= other[0] or other[3] <= one[2] + 2 or one[3] <= other[2] + 2
        assert apart, (one, other)
    assert paper.startswith(b"%PDF")


def test_a_study_of_many_classes_and_trials_is_no_wider_than_paper(tab, tmp_path):
    """A wider page is printed smaller, with the charts on a part of it."""
    large = tmp_path / "large.html"
    large.write_text(page(gather(large_story(60, classes=47))), encoding="utf-8")
    show(tab, large, "history", PAPER)
    tab.order("Emulation.setEmulatedMedia", media="print")
    widest, wide = tab.run("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")

    assert widest <= wide
