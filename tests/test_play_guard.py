"""The page lets in only what the page itself asks for, and hostile uploads harm nobody: real requests to its server."""

import asyncio
import http.client
import json
import re
import socket
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import hostile_uploads
import numpy as np
import psutil
import pytest
import written
from drawn import SEVEN, photographed
from PIL import Image
from play_server import hello, playing

from hpsearch.cli.serving import hosts
from hpsearch.play import bodies
from hpsearch.play.guard import LARGE_AT_ONCE, Guard

pytestmark = pytest.mark.skipif(find_spec("gradio") is None, reason="the extra play is not installed")
BINARY = "application/octet-stream"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("play")


@pytest.fixture(scope="module")
def port(folder):
    with playing(folder) as number:
        yield number


@pytest.fixture(scope="module")
def seven(tmp_path_factory):
    return photographed(tmp_path_factory.mktemp("photo") / "seven.png", [SEVEN], 240).read_bytes()


@pytest.fixture(autouse=True)
def alive(request, seven):
    """After each test the page still reads a photograph."""
    yield
    if "port" in request.fixturenames:
        assert upload(request.getfixturevalue("port"), seven)[0] == 200


def asked(port, method="GET", path="/", body=None, **headers):
    """What a request is answered with: status, headers, body."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    named = {"Host": f"127.0.0.1:{port}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body is not None and "Content-Length" not in named and "Transfer-Encoding" not in named:
        named["Content-Length"] = str(len(body))
    for name, value in named.items():
        if value is not None:
            line.putheader(name, value)
    line.endheaders()
    with suppress(BrokenPipeError, ConnectionResetError):  # where it is answered before it has all
        line.send(body or b"")
    answer = line.getresponse()
    try:
        said = answer.read()
    except (http.client.IncompleteRead, ConnectionResetError):  # the line's reset overtakes what follows the head
        said = b""
    return answer.status, answer.headers, said


def upload(port, body, **headers):
    own = {"Origin": f"http://127.0.0.1:{port}", "Content_Type": BINARY, **headers}
    status, _, said = asked(port, "POST", "/photo", body, **own)
    return status, said.decode()


@pytest.mark.promise("H46")
@pytest.mark.parametrize("name", hostile_uploads.HARMFUL)
def test_a_harmful_picture_is_refused_in_a_few_words(port, name):
    status, said = upload(port, hostile_uploads.HARMFUL[name]())

    assert status in {400, 413, 415}
    assert 10 < len(said) < 200
    assert said.count("\n") <= 1
    assert "Traceback" not in said


@pytest.mark.promise("H46")
@pytest.mark.parametrize("name", hostile_uploads.ODD_BUT_SOUND)
def test_an_odd_but_sound_picture_is_read(port, name):
    status, said = upload(port, hostile_uploads.ODD_BUT_SOUND[name]())

    assert status == 200, said
    assert len(json.loads(said)["boxes"]) == 1


@pytest.mark.promise("H46")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells there how much memory a process took")
def test_six_large_photographs_at_once_are_read_one_after_another_in_little_memory(port, folder):
    grain = np.random.default_rng(0).integers(0, 4, (2500, 10_000), dtype=np.uint8)
    photo = np.array(written.seven(size=(1000, 250), pen=20).resize((10_000, 2500)).convert("RGB"))
    photo[::2, :, 0] -= grain[::2]
    body = written.file_of(Image.fromarray(photo), "PNG", compress_level=1)
    (page,) = (child for child in psutil.Process().children() if str(folder) in child.cmdline())

    with ThreadPoolExecutor(6) as senders:
        answers = list(senders.map(lambda _: upload(port, body), range(6)))

    most = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{page.pid}/status").read_text())[1]
    assert [status for status, _ in answers] == [200] * 6
    assert 1024 * int(most) < 1_000_000_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells there how often a process fell asleep")
def test_a_page_that_nobody_asks_for_anything_rests(port, folder):
    (page,) = (child for child in psutil.Process().children() if str(folder) in child.cmdline())
    asked(port)
    before = page.num_ctx_switches().voluntary

    time.sleep(2)

    assert page.num_ctx_switches().voluntary - before < 600  # Gradio by itself looks some 700 times a second


@pytest.mark.promise("H46")
def test_more_bytes_than_30_million_are_refused_whether_announced_or_not(port):
    too_many = bytes(30_000_001)

    announced = upload(port, b"", Content_Length="30000001")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (too_many[:15_000_000], too_many[15_000_000:]))
    streamed = upload(port, chunks + b"0\r\n\r\n", Transfer_Encoding="chunked")

    assert (announced[0], streamed[0]) == (413, 413)


@pytest.mark.promise("H46")
@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999999999999999999999", "5"])
def test_a_wrong_length_is_refused(port, length, seven):
    status, _ = upload(port, seven, Content_Length=length)

    assert status in {400, 413, 415}


@pytest.mark.promise("H46")
def test_a_body_that_never_comes_to_its_end_is_left(port, seven):
    status, _ = upload(port, seven, Content_Length=str(len(seven) + 5))

    assert status == 408


@pytest.mark.promise("H46")
def test_forms_with_a_hundred_thousand_parts_or_a_hostile_name_are_refused_unread(port, tmp_path):
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="../../x"\r\n\r\n1\r\n'

    statuses = [
        upload(port, part * count + b"--x--\r\n", Content_Type="multipart/form-data; boundary=x")[0]
        for count in (1, 100_000)
    ]
    gradios = asked(
        port, "POST", "/gradio_api/upload", part + b"--x--\r\n",
        Origin=f"http://127.0.0.1:{port}", Content_Type="multipart/form-data; boundary=x",
    )  # fmt: skip

    assert statuses == [415, 415]
    assert gradios[0] == 404


@pytest.mark.promise("H46")
def test_a_client_that_sends_its_head_drop_by_drop_is_left(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: ")

        rest = line.recv(100)

    assert rest == b""


@pytest.mark.promise("H46")
@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("POST /photo HTTP/1.1\r\nHost: evil.com", 403),
        ("POST /nothing HTTP/1.1\r\nHost: {here}\r\nOrigin: http://{here}", 404),
        ("PUT /photo HTTP/1.1\r\nHost: {here}\r\nOrigin: http://{here}", 405),
        ("GET / HTTP/1.1\r\nHost: {here}", 413),
    ],
)
def test_who_is_refused_and_never_ends_the_body_that_he_announced_is_left(port, words, status):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(f"{words.format(here=f'127.0.0.1:{port}')}\r\nContent-Length: 9\r\n\r\n".encode())
        said = line.recv(1000)

        with suppress(ConnectionError):  # that it is left may be heard as a reset
            line.sendall(b"x")  # from here on uvicorn alone would wait for ever
            while line.recv(1000):
                pass

    assert said.startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.promise("H47")
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.com"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": None},
        {"Origin": "http://evil.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/photo"), ("POST", "/gradio_api/run/predict")])
def test_requests_by_another_name_or_from_another_page_are_refused(port, method, path, headers):
    own = {"Origin": f"http://127.0.0.1:{port}", "Content_Type": BINARY}

    status, _, said = asked(port, method, path, b"" if method == "POST" else None, **{**own, **headers})

    assert status in {400, 403}
    assert len(said) < 200


@pytest.mark.promise("H47")
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("origin", ["http://evil.com", None])
def test_forms_of_other_sites_are_refused(port, kind, origin):
    statuses = {
        asked(port, "POST", path, b'{"data": []}', Origin=origin, Content_Type=kind)[0]
        for path in ("/photo", "/gradio_api/run/predict")
    }

    assert statuses == {403}


@pytest.mark.promise("H47")
@pytest.mark.parametrize(
    "path",
    [
        "/artifact?path=..%2f..", "/%00", "/..%2f..%2fetc/passwd", "/../../etc/passwd", "/%252e%252e/etc/passwd",
        "/gradio_api/file=/etc/passwd", "/gradio_api/file=%2fetc%2fpasswd", "/gradio_api/file=..%252f..%252fetc/passwd",
        "/file=/etc/passwd", "/static/../../../etc/passwd", "/static/%2e%2e/config", "/assets/..%5c..%5cx",
        "/gradio_api/proxy=http://127.0.0.1:1/", "/gradio_api/info", "/config", "/monitoring", "/monitoring/summary",
        "/gradio_api/queue/status", "/gradio_api/queue/data?session_hash=a",
        "/gradio_api/runs", "/gradio_api/deep_link", "/gradio_api/openapi.json",
        "/docs",
        "/openapi.json", "/login_check", "/gradio_api/vibe-code", "//evil.com/",
        "/gradio_api/custom_component/1/client/component/x",
    ],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_closed(port, path):
    status, _, said = asked(port, path=path)

    assert status in {400, 403, 404}
    assert b"root:" not in said


@pytest.mark.promise("H47")
@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/run/read",
        "/gradio_api/call/read",
        "/gradio_api/component_server",
        "/gradio_api/process_recording",
        "/gradio_api/reset",
        "/gradio_api/cancel",
        "/login",
    ],
)
def test_what_else_gradio_would_do_is_closed(port, path):
    own = {"Origin": f"http://127.0.0.1:{port}", "Content_Type": "application/json"}

    assert asked(port, "POST", path, b'{"data": []}', **own)[0] == 404


def test_a_page_that_lost_its_server_hears_that_there_is_one_again(port):
    status, _, said = asked(port, path="/gradio_api/app_id")

    assert status == 200
    assert set(json.loads(said)) == {"app_id"}


@pytest.mark.promise("H47")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_is_changed_by_other_methods_than_post(port, method):
    statuses = {
        asked(port, method, path, Origin=f"http://127.0.0.1:{port}")[0]
        for path in ("/photo", "/gradio_api/run/predict")
    }

    assert statuses == {405}


@pytest.mark.promise("H47")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"data": 3}',
        b'{"data": ["x"], "fn_index": 99, "session_hash": "a"}',
        b'{"data": ["x"], "fn_index": -1, "session_hash": "a", "event_data": {"place": 1}}',
    ],
)
def test_events_that_no_page_would_send_are_refused(port, body):
    own = {"Origin": f"http://127.0.0.1:{port}", "Content_Type": "application/json"}

    status, _, said = asked(port, "POST", "/gradio_api/run/predict", body, **own)

    assert 400 <= status < 600
    assert b"Traceback" not in said


@pytest.mark.promise("H47")
def test_every_answer_says_that_browsers_keep_to_this_page(port):
    answers = [asked(port), asked(port, path="/nothing"), asked(port, Host="evil.com"), asked(port, path="/theme.css")]

    for _, headers, _ in answers:
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
        assert "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers
    assert b"fonts.googleapis" not in answers[0][2] + answers[3][2]


def test_websockets_are_not_opened(port):
    wanted = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }

    status, _, _ = asked(port, Origin="http://evil.com", **wanted)

    assert status == 403


@pytest.mark.promise("H47")
def test_with_a_token_only_who_has_it_comes_in(tmp_path):
    with playing(tmp_path, "open-sesame") as guarded:
        wrong = [
            asked(guarded, path=path, Cookie=cookie)[0]
            for path in ("/", "/?token=open-sesam", "/theme.css?token=open-sesame")
            for cookie in (None, f"hpsearch_play_{guarded}=x")
        ]
        first = asked(guarded, path="/?token=open-sesame")
        cookie = first[1]["Set-Cookie"].partition(";")[0]
        inside = asked(guarded, Cookie=f"other=1; {cookie}")

    assert set(wrong) == {403}
    assert (first[0], first[1]["Location"]) == (303, "/")
    assert "HttpOnly" in first[1]["Set-Cookie"]
    assert "SameSite=Lax" in first[1]["Set-Cookie"]  # Strict would refuse the address where it is clicked in a mail
    assert inside[0] == 200


@pytest.mark.promise("H47")
def test_two_pages_of_one_machine_are_open_in_one_browser(tmp_path):
    no_proxy, cookies = urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor()
    browser = urllib.request.build_opener(no_proxy, cookies)
    with playing(tmp_path, "open-sesame") as one, playing(tmp_path, "another-word") as other:
        for port, token in ((one, "open-sesame"), (other, "another-word")):
            browser.open(f"http://127.0.0.1:{port}/?token={token}")

        answers = [browser.open(f"http://127.0.0.1:{port}/").status for port in (one, other)]

    assert answers == [200, 200]


async def status(guard, host, *parts):
    """The status with which a guard answers a photograph to this host that comes in parts, b"end" being the last."""
    sent, coming = [], [{"type": "http.request", "body": part, "more_body": part != b"end"} for part in parts]
    head = {"host": host, "origin": f"http://{host}", "content-type": BINARY}
    photo = {
        "type": "http", "method": "POST", "path": "/photo", "raw_path": b"/photo", "query_string": b"",
        "headers": [(name.encode(), text.encode()) for name, text in head.items()],
    }  # fmt: skip

    async def receive():
        return coming.pop(0) if coming else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    await guard(photo, receive, send)
    return sent[0]["status"]


@pytest.mark.promise("H46")
def test_who_stands_still_in_the_middle_of_a_photograph_loses_his_place(monkeypatch):
    monkeypatch.setattr(bodies, "SILENCE", 0.2)

    async def five():
        guard, host = Guard(hello, frozenset({"here:1"})), "here:1"
        silent = [asyncio.create_task(status(guard, host, b"beginning")) for _ in range(LARGE_AT_ONCE)]
        await asyncio.sleep(0)
        return await asyncio.wait_for(status(guard, host, b"all", b"end"), 10), await asyncio.gather(*silent)

    assert asyncio.run(five()) == (200, [408] * LARGE_AT_ONCE)


def test_at_port_80_a_browser_is_answered_though_it_leaves_the_port_out():
    guard = Guard(hello, hosts(80))

    statuses = [asyncio.run(status(guard, host, b"end")) for host in ("127.0.0.1", "localhost:80", "example.org")]

    assert statuses == [200, 200, 403]
