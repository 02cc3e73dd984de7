"""The page to draw on, in a real browser: mouse and finger, photographs, corrections."""

import base64
import io
import json
import re
import time
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import pytest
from browser import CHROMIUM, browser
from drawn import SEVEN, THREE, Neighbours, along, photographed
from PIL import Image
from play_server import HOSTILE, playing

from hpsearch.play.corrections import Corrections, folder_name
from hpsearch.play.page import Page, Shown
from hpsearch.play.photos import Photos
from hpsearch.play.reading import Readers
from hpsearch.polarity import Polarity
from hpsearch.predict.looking import look

pytestmark = pytest.mark.skipif(find_spec("gradio") is None, reason="the extra play is not installed")
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here to draw in")
PAPER = "#paper canvas[data-ready]"
ANSWER = "document.querySelector('[data-answer]')?.dataset.answer"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("play")


@pytest.fixture(scope="module")
def port(place):
    with playing(place) as number:
        yield number


@pytest.fixture(scope="module")
def tab(place):
    with browser(place) as page:
        yield page


@pytest.fixture
def page(tab, port):
    """The page, opened anew on a screen."""
    with shown(tab, port, 1280, 800):
        yield tab


@pytest.fixture
def phone(tab, port):
    """The same on a phone, which is set to dark."""
    with shown(tab, port, 390, 844, touch=True, dark=True):
        yield tab


@contextmanager
def shown(tab, port, width, height, **options):
    """Open the page; afterwards nothing may have gone wrong on it, and it may have asked no other machine."""
    tab.said.clear()
    tab.open(f"http://127.0.0.1:{port}/", width, height, **options)
    tab.wait(f"document.querySelector('{PAPER}') && document.querySelector('#right input')")
    yield
    said = list(tab.said)
    tab.open("about:blank", width, height)  # Gradio complains of its streams when it is left
    tab.wait("location.href === 'about:blank'")
    assert said == []
    assert [one for one in tab.asked if not re.match(rf"data:|about:|http://127\.0\.0\.1:{port}/", one)] == []


@in_a_browser
def test_a_digit_is_read_while_it_is_drawn_and_another_after_it(page):
    page.stroke(along(THREE, page.place(PAPER)), lift=False)
    while_drawn = page.wait(ANSWER)
    page.lift()
    page.wait(f"{ANSWER} === '3'")
    page.click(".play-clear")
    page.wait("document.querySelector('.play-waiting')")
    page.stroke(along(SEVEN, page.place(PAPER)))

    assert page.wait(f"{ANSWER} === '7'")
    assert while_drawn in HOSTILE
    assert page.run("document.querySelectorAll('.play-answer').length") == 2
    assert page.run("document.querySelectorAll('.play-answer:first-child .play-top li').length") == 5


@in_a_browser
def test_a_finger_draws_on_a_phone_and_the_page_fits_it(phone):
    phone.stroke(along(SEVEN, phone.place(PAPER)), finger=True)

    assert phone.wait(f"{ANSWER} === '7'")
    assert phone.run("document.documentElement.scrollWidth") == 390


@in_a_browser
def test_the_last_stroke_can_be_taken_back(page):
    page.stroke(along(SEVEN, page.place(PAPER)))
    page.wait(f"{ANSWER} === '7'")

    page.click(".play-undo")

    assert page.wait("document.querySelector('.play-waiting')")
    assert page.run("!document.querySelector('.play-hint').hidden")


@in_a_browser
def test_a_stroke_that_is_taken_back_while_it_is_drawn_goes_on_in_no_other(page):
    page.stroke(along(THREE, page.place(PAPER)))
    drawn = page.run(f"document.querySelector('{PAPER}').toDataURL()")
    start, middle, *end = along(SEVEN, page.place(PAPER), steps=1)

    page.stroke([start, middle], lift=False)
    page.run("document.querySelector('.play-undo').click()")  # as a key does, or another finger
    page.stroke(end, press=False)

    assert page.run(f"document.querySelector('{PAPER}').toDataURL()") == drawn


def settled(page):
    """The image that the model sees (base64), once no answer has followed the pen for a second."""
    seen, since = "", time.monotonic()
    while time.monotonic() - since < 1:
        now = page.run("document.querySelector('.play-answer img').src.split(',')[1]")
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.05)
    return seen


@in_a_browser
def test_a_seven_whose_bar_runs_off_the_paper_is_read_as_a_seven(page):
    page.stroke(along([(0.27, 0.02), (0.73, -0.03)], page.place(PAPER)))

    page.stroke(along([(0.73, 0.22), (0.62, 0.42), (0.45, 0.87)], page.place(PAPER)))

    page.wait(f"{ANSWER} === '7'")


@in_a_browser
def test_a_wrong_answer_is_corrected_and_kept_with_the_image_that_the_model_saw(page, place):
    page.stroke(along(THREE, page.place(PAPER)))
    page.wait(f"{ANSWER} === '3'")

    seen = settled(page)
    page.click("#right label:nth-child(2)")
    page.click("#keep")
    page.wait("document.querySelector('[data-kept]').dataset.kept === '1'")

    (kept,) = (place / "corrections").glob("*/*.png")
    assert kept.parent.name == folder_name(HOSTILE[1])
    assert np.array_equal(np.asarray(Image.open(kept)), np.asarray(Image.open(io.BytesIO(base64.b64decode(seen)))))
    assert "1 kept" in page.run("document.querySelector('#kept').innerText")


@in_a_browser
def test_the_characters_of_a_photograph_are_read_and_can_be_chosen(page, tmp_path):
    page.choose_file("#paper input[type=file]", photographed(tmp_path / "row.jpg", [THREE, SEVEN, SEVEN]))

    page.wait("document.querySelectorAll('.play-cards button').length === 3")
    page.wait(f"{ANSWER} === '3'")
    page.click(".play-cards button:nth-child(2)")

    assert page.wait(f"{ANSWER} === '7'")


@in_a_browser
def test_a_photograph_is_dropped_and_one_that_is_none_is_told(page, tmp_path):
    good, bad = photographed(tmp_path / "seven.png", [SEVEN], 240), tmp_path / "bad.png"
    bad.write_text("no picture")

    page.drop(PAPER, good)
    page.wait(f"{ANSWER} === '7'")
    page.drop(PAPER, bad)

    told = page.wait("document.querySelector('.play-note').innerText.replace('Reading …', '')")
    assert "PNG" in told
    page.said.clear()  # the browser itself notes that the answer was 415


@in_a_browser
def test_a_photograph_that_is_dropped_beside_the_paper_is_read_there_too(page, tmp_path):
    page.drop("#correct", photographed(tmp_path / "seven.png", [SEVEN], 240))

    assert page.wait(f"{ANSWER} === '7'")


@in_a_browser
def test_more_tabs_are_open_at_once_than_a_browser_holds_connections_to_one_machine(page, port):
    opened = [page.order("Target.createTarget", url=f"http://127.0.0.1:{port}/")["targetId"] for _ in range(6)]
    page.order("Page.bringToFront")  # a tab in the background draws but now and then

    page.stroke(along(SEVEN, page.place(PAPER)))
    read = page.wait(f"{ANSWER} === '7'", 20)
    for one in opened:
        page.order("Target.closeTarget", targetId=one)

    assert read


HELD = """{
    const plain = window.fetch;
    window.fetch = (address, ...rest) => address === "photo" ? new Promise((answered) => {
        window.answers = async () => answered(await plain(address, ...rest));
    }) : plain(address, ...rest);
}"""


@in_a_browser
def test_a_photograph_that_is_read_late_takes_no_drawing_away(page, tmp_path):
    page.run(HELD)
    page.choose_file("#paper input[type=file]", photographed(tmp_path / "seven.png", [SEVEN], 240))
    page.wait("document.querySelector('.play-note').innerText === 'Reading …' && !!window.answers")
    page.stroke(along(THREE, page.place(PAPER)))
    page.wait(f"{ANSWER} === '3'")
    drawn = page.run(f"document.querySelector('{PAPER}').toDataURL()")

    page.run("window.answers()")
    settled(page)

    assert page.run(f"document.querySelector('{PAPER}').toDataURL()") == drawn
    assert page.run(ANSWER) == "3"


@in_a_browser
def test_hostile_names_of_classes_and_models_are_words_on_the_page(page):
    page.stroke(along(SEVEN, page.place(PAPER)))
    page.wait(ANSWER)

    choices = page.run("[...document.querySelectorAll('#right label')].map(label => label.innerText.trim())")
    assert choices[:8] == [name.strip() for name in HOSTILE[:8]]
    assert page.run("document.querySelector('.play-answer h3').innerText") == HOSTILE[1]
    assert page.run("document.querySelectorAll('[onerror], .play-answer script').length") == 0


def a_page(tmp_path, model):
    readers = Readers((model,), look)
    return Page(readers, Photos(readers), Corrections(tmp_path / "corrections"))


def test_a_model_that_died_is_told_on_the_page(tmp_path):
    page = a_page(tmp_path, Neighbours(broken=True))
    drawing = photographed(tmp_path / "three.png", [THREE], 240).read_bytes()

    shown, words, _ = page.read(json.dumps({"ink": base64.b64encode(drawing).decode()}))

    assert shown == Shown()
    assert "the model&#39;s process died" in words


def test_each_model_sees_a_drawing_with_ink_as_it_was_trained_on_and_it_is_kept_so(tmp_path):
    dark, bright = Neighbours("dark", polarity=Polarity.DARK_ON_BRIGHT), Neighbours("bright")
    readers = Readers((dark, bright), look)
    page = Page(readers, Photos(readers), Corrections(tmp_path / "corrections"))
    drawing = photographed(tmp_path / "three.png", [THREE], 240).read_bytes()

    shown, answers, _ = page.read(json.dumps({"ink": base64.b64encode(drawing).decode()}))
    page.keep(shown, 3)

    seen = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in re.findall('base64,([^"]+)', answers)
    ]
    (kept,) = (tmp_path / "corrections").glob("3/*.png")
    assert [guess.likeliest[0][0] for guess in shown.reading.guesses[0]] == ["3", "3"]
    assert np.array_equal(seen[0], 255 - seen[1])
    assert np.array_equal(seen[0], np.asarray(Image.open(kept)))
    assert seen[0][0].min() == 255


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "[]",
        "3",
        "{",
        "[" * 100_000,
        '{"ink": 3}',
        '{"ink": "%%"}',
        '{"ink": ""}',
        '{"photo": "x"}',
        '{"photo": [1]}',
    ],
)
def test_whatever_is_sent_in_place_of_a_drawing_is_answered_with_words(tmp_path, value):
    shown, words, cards = a_page(tmp_path, Neighbours()).read(value)

    assert shown == Shown()
    assert "play-waiting" in words
    assert cards == ""


def test_a_drawing_of_more_pixels_than_the_paper_is_not_unpacked(tmp_path):
    page, sizes = a_page(tmp_path, Neighbours()), ((392, 392), (2000, 2000))
    drawings = [photographed(tmp_path / "seven.png", [SEVEN], *size).read_bytes() for size in sizes]

    places = [page.read(json.dumps({"ink": base64.b64encode(drawing).decode()}))[0] for drawing in drawings]

    assert places[0].reading is not None
    assert places[1] == Shown()


def test_there_is_nothing_to_keep_before_something_is_drawn_and_named(tmp_path):
    page = a_page(tmp_path, Neighbours())
    drawing = photographed(tmp_path / "three.png", [THREE], 240).read_bytes()
    reading = page.readers.read("it", drawing, one=True)

    told = [page.keep(Shown(), 3)[0], *(page.keep(Shown(reading), right)[0] for right in (None, -1, 10))]

    assert "Draw something first" in told[0]
    assert all("Choose what it is" in words for words in told[1:])
    assert page.corrections.count() == 0
