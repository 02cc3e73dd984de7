"""Drives a real Chromium without a window, by its DevTools protocol over two pipes."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WORDS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60.0  # seconds for one answer, and for a page to come to show something


class Page:
    """One tab: it opens addresses, runs JavaScript, and gets a mouse and a finger."""

    def __init__(self, writes: int, reads: int) -> None:
        self._writes, self._reads = writes, reads
        self._left, self._number, self._session = b"", 0, None
        self._last = (0.0, 0.0)
        self.said: list[str] = []  # what the page complained of
        self.asked: list[str] = []  # every address it asked for
        target = self.order("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.order("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.order(f"{domain}.enable")

    def order(self, method: str, **options: Any) -> dict[str, Any]:
        """Send a command of the protocol and wait for what it returns."""
        self._number += 1
        order = {"id": self._number, "method": method, "params": options}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._writes, json.dumps(order).encode() + b"\0")
        while True:
            heard = self._next()
            if heard.get("id") == self._number:
                assert "error" not in heard, f"{method}: {heard['error']}"
                return heard["result"]
            self._note(heard)

    def open(self, address: str, width: int, height: int, *, touch: bool = False, dark: bool = False) -> None:
        """Show a page in a window of this size."""
        self.order("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.order("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.order("Emulation.setEmulatedMedia", features=scheme)
        self.order("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """Give the value of an expression, or of what it promises."""
        told = self.order("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait(self, script: str, patience: float = PATIENCE) -> Any:
        """Wait until an expression is true (as JavaScript has it), and give its value."""
        until = time.monotonic() + patience
        plain = f"(value => value instanceof Node || value)({script})"  # an element cannot be sent
        while not (value := self.run(plain)):
            if time.monotonic() > until:
                shows = self.run("document.body.innerText")
                message = f"never came true: {script}\nthe page says {self.said} and shows:\n{shows}"
                raise AssertionError(message)
            time.sleep(0.02)
        return value

    def place(self, selector: str) -> tuple[float, float, float, float]:
        """Scroll an element into view and wait until nothing lies over it; give its left, top, width and height."""
        box = self.wait(f"""(element => {{
            element.scrollIntoView({{block: "center"}});
            const box = element.getBoundingClientRect();
            const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            return element.contains(top) && box.toJSON();
        }})({_one(selector)})""")
        return box["x"], box["y"], box["width"], box["height"]

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        left, top, width, height = self.place(selector)
        self.stroke([(left + width / 2, top + height / 2)])

    def stroke(
        self, points: list[tuple[float, float]], *, finger: bool = False, press: bool = True, lift: bool = True
    ) -> None:
        """Press at the first point unless the pen is there, move over the others, and let go at the last if it does."""
        for number, (x, y) in enumerate(points):
            if finger:
                kind = "touchMove" if number else "touchStart"
                self.order("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
            else:
                self._mouse("mouseMoved" if number or not press else "mousePressed", x, y)
        self._last = points[-1]
        if lift:
            self.lift(finger=finger)

    def lift(self, *, finger: bool = False) -> None:
        """Let go where the stroke ended."""
        if finger:
            self.order("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        else:
            self._mouse("mouseReleased", *self._last)

    def drop(self, selector: str, file: Path) -> None:
        """Drop a file on the middle of an element."""
        left, top, width, height = self.place(selector)
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            where = {"x": left + width / 2, "y": top + height / 2}
            self.order("Input.dispatchDragEvent", type=kind, data=data, **where)

    def _mouse(self, kind: str, x: float, y: float) -> None:
        self.order("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def choose_file(self, selector: str, file: Path) -> None:
        """Give a file input its file."""
        found = self.order("Runtime.evaluate", expression=_one(selector))["result"]["objectId"]
        self.order("DOM.setFileInputFiles", objectId=found, files=[str(file)])

    def picture(self, file: Path) -> None:
        """Write what the window shows as a PNG."""
        shot = self.order("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            assert select([self._reads], [], [], PATIENCE)[0], "the browser says nothing"
            more = os.read(self._reads, 1 << 20)
            assert more, "the browser ended"
            self._left += more
        one, _, self._left = self._left.partition(b"\0")
        return json.loads(one)

    def _note(self, heard: dict[str, Any]) -> None:
        told = heard.get("params", {})
        match heard.get("method"):
            case "Network.requestWillBeSent":
                self.asked.append(told["request"]["url"])
            case "Log.entryAdded":
                self.said.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
            case "Runtime.exceptionThrown":
                self.said.append(str(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in {"error", "warning"}:
                self.said.append(" ".join(str(one.get("value", one.get("description"))) for one in told["args"]))


def _one(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)})"


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Start Chromium with a profile of its own in a folder; give its one tab."""
    (hears, writes), (reads, says) = os.pipe(), os.pipe()
    words = f'exec "$0" "$@" 3<&{hears} 4>&{says}'
    with subprocess.Popen(
        ["bash", "-c", words, str(CHROMIUM), *WORDS, f"--user-data-dir={folder / 'browser'}"],
        pass_fds=(hears, says), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        os.close(hears)
        os.close(says)
        try:
            page = Page(writes, reads)
            yield page
            page.order("Browser.close")
            process.wait(PATIENCE)
        finally:
            process.kill()
            os.close(writes)
            os.close(reads)
