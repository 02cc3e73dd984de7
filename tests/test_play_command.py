"""The command `hpsearch play`: its words, its models, and how it ends."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec

import psutil
import pytest
from browser import CHROMIUM, browser
from drawn import SEVEN, along, photographed
from kept_studies import four_trials, keep
from waiting import wait_until

from hpsearch import paths
from hpsearch.__main__ import main
from hpsearch.cli.play import EVERYWHERE

pytestmark = pytest.mark.skipif(find_spec("gradio") is None, reason="the extra play is not installed")


@pytest.fixture(scope="module")
def home(digits_project, tmp_path_factory):
    """A copy of the project with the study "digits", for corrections to go into."""
    folder = shutil.copytree(digits_project.root, tmp_path_factory.mktemp("playing") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPSEARCH_DATA", str(folder / "cache"))
        yield paths.Project(folder)


@contextmanager
def play(home, *words):
    """The command at work in a process of its own; gives the process and the address that it printed."""
    with beginning(home, *words) as process:
        yield process, re.search(r"http://\S+", process.stdout.readline())[0]


@contextmanager
def beginning(home, *words):
    """The command in a process of its own, which may yet have printed nothing."""
    command = [sys.executable, "-m", "hpsearch", "play", "--port", "0", "--no-browser", *words]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, cwd=home.root, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here to draw in")
def test_two_models_of_a_study_read_what_is_drawn_and_a_correction_goes_into_its_folder(home, tmp_path):
    with play(home, "digits", "digits:1") as (process, address), browser(tmp_path) as page:
        page.open(address, 1280, 800)
        page.wait("document.querySelector('#paper canvas[data-ready]') && document.querySelector('#right input')")
        page.stroke(along(SEVEN, page.place("#paper canvas")))
        answers = "[...document.querySelectorAll('[data-answer]')].map(one => one.dataset.answer)"
        page.wait(f"{answers}.join() === '7,7'")
        labels = page.run("[...document.querySelectorAll('.play-answer h3')].map(one => one.innerText)")
        page.click("#right label:nth-child(2)")
        page.click("#keep")
        page.wait("document.querySelector('[data-kept]').dataset.kept === '1'")
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)

        assert process.wait(30) == 130
    _, alive = psutil.wait_procs(children, timeout=10)
    assert len(labels) == len(set(labels)) == 2
    assert children
    assert alive == []
    (kept,) = home.study("digits").corrections.glob("*/*.png")
    assert kept.parent.name == "1"


def test_sigterm_ends_it_while_a_page_is_open_and_its_temporary_folder_goes(home, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with play(home, "digits") as (process, address):
        port = int(address.rstrip("/").rpartition(":")[2])
        photo = photographed(tmp_path / "seven.png", [SEVEN], 240).read_bytes()
        own = {"Origin": address.rstrip("/"), "Content-Type": "application/octet-stream"}
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        line.request("POST", "/photo", photo, own)
        answer = json.loads(line.getresponse().read())
        stream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        stream.request("GET", "/gradio_api/app_id")
        stream.getresponse().read()
        folders = {file.stat().st_mode & 0o777 for file in tmp_path.glob("hpsearch-play-*")}
        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 143
    assert answer["size"] == [240, 240]
    assert folders == {0o700}
    assert [file.name for file in tmp_path.iterdir()] == ["seven.png"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["digits", "--host", EVERYWHERE], "everybody who can reach this machine"),
        (["digits", "--token", "short"], "8 to 100 letters"),
        (["digits", "--token", "with a space in it"], "8 to 100 letters"),
        (["digit"], "did you mean 'digits'?"),
        (["digits", "nothing-there"], "nothing-there"),
    ],
)
def test_words_that_cannot_be_are_refused(home, monkeypatch, capfd, words, told):
    monkeypatch.chdir(home.root)

    assert main(["play", *words, "--port", "0", "--no-browser"]) == 2

    assert told in capfd.readouterr().err


def test_a_study_without_a_finished_model_is_told(tmp_path, monkeypatch, capfd):
    keep(tmp_path, four_trials())
    monkeypatch.chdir(tmp_path)

    assert main(["play", "tiny", "--port", "0", "--no-browser"]) in {1, 2}

    assert "tiny" in capfd.readouterr().err


def test_a_taken_port_and_an_address_of_another_machine_are_told(home, monkeypatch, capfd):
    monkeypatch.chdir(home.root)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])

        codes = [main(["play", "digits", "--port", port]), main(["play", "digits", "--host", "192.0.2.1"])]

    assert codes == [8, 8]
    said = capfd.readouterr().err
    assert f"port {port} cannot be used" in said
    assert "192.0.2.1 is no address of this machine" in said


def test_of_two_that_begin_at_once_on_one_port_one_is_told_that_it_is_taken(home):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with beginning(home, "digits", "--port", port) as one, beginning(home, "digits", "--port", port) as other:
        wait_until(lambda: one.poll() is not None or other.poll() is not None)
        left, code = (one, other.poll()) if one.poll() is None else (other, one.poll())

        assert code == 8
        socket.create_connection(("127.0.0.1", int(port))).close()
        assert left.poll() is None


def test_without_gradio_it_says_what_to_install(home, monkeypatch, capfd):
    monkeypatch.chdir(home.root)
    monkeypatch.setitem(sys.modules, "gradio", None)

    assert main(["play", "digits", "--port", "0"]) == 1

    assert 'pip install "hpsearch[play]"' in capfd.readouterr().err
