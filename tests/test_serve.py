"""A served model answers HTTP requests of this machine, and leaves nothing behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import psutil
import pytest
import requests
from readers import unseen_images
from waiting import wait_until

from hpsearch.__main__ import main
from hpsearch.cli.serving import listening_on, server_of, wait_until_up
from hpsearch.errors import PortTaken
from hpsearch.predict.answerer import answering


@contextmanager
def serving(home, *words):
    """The command once it serves: its process, those below it, and what it said."""
    command = [sys.executable, "-m", "hpsearch", "serve", *words, "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=home.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        said = []
        while not said or "Ctrl-C" not in said[-1]:
            said.append(process.stdout.readline())
            assert said[-1], (home.runs / "serve.log").read_text()
        yield process, psutil.Process(process.pid).children(recursive=True), "".join(said)
        if process.poll() is None:
            process.kill()


def ask(address, **sent):
    return requests.post(address, json=sent, timeout=30).json()


def test_a_studys_model_answers_as_the_study_does_and_ctrl_c_leaves_no_process(home):
    images = unseen_images()[0][:3]

    with serving(home, "digits") as (process, children, said):
        (address,) = re.findall(r"the model answers at (\S+):", said)
        told = ask(address, inputs=images.tolist())["predictions"]
        shown = re.findall(r"python3 -c '(.*)' \|\n +curl (\S+) -H", said)
        example = subprocess.run([sys.executable, "-c", shown[0][0]], capture_output=True, text=True, check=True)
        answer = ask(shown[0][1], **json.loads(example.stdout))
        sockets = [one for child in children for one in child.net_connections("tcp") if one.status == "LISTEN"]
        process.send_signal(signal.SIGINT)
        code = process.wait(30)

    with answering(home, "digits") as answerer:
        assert np.allclose(told, answerer.probabilities(images), atol=1e-4)
    assert np.shape(answer["predictions"]) == (1, 10)
    assert {one.laddr.ip for one in sockets} == {"127.0.0.1"}
    assert code == 130
    assert not psutil.wait_procs(children, 10)[1]


@pytest.mark.promise("13")
def test_what_was_exported_is_served_again_and_a_killed_command_leaves_no_server(home):
    folder = home.study("digits").best / "served"
    before = (folder / "manifest.json").stat().st_mtime_ns if folder.exists() else None

    with serving(home, str(folder) if before else "digits") as (process, children, _):
        process.kill()

    assert not psutil.wait_procs(children, 10)[1]
    assert before in {None, (folder / "manifest.json").stat().st_mtime_ns}


def test_a_port_that_is_taken_is_refused(home, monkeypatch, capfd):
    monkeypatch.chdir(home.root)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = main(["serve", "digits", "--port", str(taken.getsockname()[1])])

    assert code == 8
    assert "cannot be used" in capfd.readouterr().err


@pytest.mark.parametrize(("seen", "told"), [(True, "process {pid} "), (False, "somebody else's process ")])
def test_who_has_a_port_is_named_where_that_can_be_seen(monkeypatch, seen, told):
    everything = psutil.net_connections
    if not seen:  # as Linux tells of another user's process
        monkeypatch.setattr(
            psutil, "net_connections", lambda kind: [one._replace(pid=None) for one in everything(kind)]
        )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with (
            pytest.raises(PortTaken, match=f"port {port} cannot be used: {told.format(pid=os.getpid())}"),
            listening_on(port),
        ):
            pass


def test_two_servers_of_a_project_overwrite_nothing_of_each_other_in_their_log(tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    waits = "import os, sys; print('the first')\nwhile not os.path.exists(sys.argv[1]): pass\nprint('ends')"

    with server_of([sys.executable, "-uc", waits, str(go)], log, os.environ, tmp_path) as first:
        wait_until(lambda: log.exists() and log.read_text())
        with server_of([sys.executable, "-c", "print('the second')"], log, os.environ, tmp_path) as second:
            second.wait(10)
        go.touch()
        first.wait(10)

    assert log.read_text() == "the second\nends\n"


def test_whoever_took_the_port_meanwhile_is_not_taken_for_the_server():
    starting = [sys.executable, "-c", "import time; time.sleep(1); raise SystemExit(1)"]
    with socket.create_server(("127.0.0.1", 0)) as stranger, subprocess.Popen(starting) as server:
        port = stranger.getsockname()[1]

        with pytest.raises(PortTaken, match=f"port {port} cannot be used"):
            wait_until_up(server, port, "serve.log")


@pytest.mark.parametrize("host", ["example.org", "localhost; touch canary", "::1"])
def test_a_host_that_is_no_address_is_refused(home, monkeypatch, capfd, host):
    monkeypatch.chdir(home.root)

    code = main(["serve", "digits", "--host", host])

    assert code == 2
    assert "is no IPv4 address" in capfd.readouterr().err


def test_a_word_that_names_nothing_is_refused_with_what_can_be_named(home, monkeypatch, capfd):
    monkeypatch.chdir(home.root)

    code = main(["serve", "digit", "--port", "0"])

    assert code == 2
    said = capfd.readouterr().err
    assert "did you mean 'digits'?" in said
    assert said.endswith("  or name a folder that hpsearch export wrote\n")


def test_a_folder_without_an_mlflow_model_is_refused(exported, home, monkeypatch, capfd):
    monkeypatch.chdir(home.root)

    code = main(["serve", str(exported["keras"])])

    assert code == 2
    assert "was not exported as mlflow\n  export it again: --format mlflow" in capfd.readouterr().err
