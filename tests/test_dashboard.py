"""Optuna's dashboard on a study: real pages over real HTTP, for this machine only."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from kept_studies import four_trials, keep

from hpsearch.__main__ import main
from hpsearch.cli.dashboard import guarded
from hpsearch.errors import ExperimentRefused


@contextmanager
def dashboard(folder):
    """The command at work in a process of its own; gives the process and its port."""
    words = [sys.executable, "-m", "hpsearch", "dashboard", "tiny", "--port", "0", "--no-browser"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process, int(re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())[1])
        finally:
            process.kill()


def asked(port, path="/api/studies", method="GET", **headers):
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    line.request(method, path, headers=headers)
    answer = line.getresponse()
    return answer.status, answer.read()


def test_the_dashboard_shows_the_study_to_its_own_pages_only(tmp_path):
    pytest.importorskip("optuna_dashboard")
    keep(tmp_path, four_trials())

    with dashboard(tmp_path) as (process, port):
        pages = asked(port, "/dashboard/")
        studies = asked(port)
        trials = asked(port, "/api/studies/0?after=0")
        stranger = asked(port, Host="evil.example")
        foreign = asked(port, method="POST", Origin="https://evil.example")
        process.send_signal(signal.SIGTERM)

        assert process.wait(20) == 143
    assert pages[0] == 200
    assert json.loads(studies[1])["study_summaries"][0]["study_name"] == "tiny"
    assert len(json.loads(trials[1])["trials"]) == 4
    assert (stranger[0], foreign[0]) == (403, 403)


@pytest.mark.parametrize(
    ("port", "host", "origin", "status"),
    [
        (80, "127.0.0.1", "http://127.0.0.1", "200 OK"),
        (80, "localhost", None, "200 OK"),
        (80, "evil.example", None, "403 Forbidden"),
        (8080, "127.0.0.1", None, "403 Forbidden"),
    ],
)
def test_only_at_port_80_is_a_browser_answered_though_it_leaves_the_port_out(port, host, origin, status):
    said = []

    def page(_environ, start):
        start("200 OK", [])
        return []

    asking = {"HTTP_HOST": host} | ({"HTTP_ORIGIN": origin} if origin else {})
    guarded(page, port)(asking, lambda status, _headers: said.append(status))

    assert said == [status]


def test_a_taken_port_is_told(tmp_path, monkeypatch, capsys):
    pytest.importorskip("optuna_dashboard")
    keep(tmp_path, four_trials())
    monkeypatch.chdir(tmp_path)

    with dashboard(tmp_path) as (_, port):
        assert main(["dashboard", "tiny", "--port", str(port), "--no-browser"]) == 8

    assert f"port {port} cannot be used" in capsys.readouterr().err


def test_nobody_else_can_have_the_port_while_the_study_is_read(tmp_path, monkeypatch, capsys):
    pytest.importorskip("optuna_dashboard")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def read(*_):
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", port)).close()
        raise ExperimentRefused("it was read")

    monkeypatch.setattr("hpsearch.study.read", read)

    assert main(["dashboard", "tiny", "--port", str(port), "--no-browser"]) == 2
    assert "it was read" in capsys.readouterr().err
