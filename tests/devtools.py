"""Headless Chromium by its DevTools protocol, over a pipe: presses a mouse, taps with fingers, prints."""

import base64
import json
import os
import shutil
import subprocess
import time

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PATIENCE_SECONDS = 60


class Browser:
    """One page in a browser of its own; with `touch` it is a phone's."""

    def __init__(self, folder, size, *, touch=False):
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        command = [
            "bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "chromium", CHROMIUM, "--headless",
            "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._session, self._came = 0, None, b""
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def call(self, method, **params):
        """Ask for something and wait for its answer."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": params}
        asked |= {"sessionId": self._session} if self._session else {}
        os.write(self._out, json.dumps(asked).encode() + b"\0")
        while (told := self._next()).get("id") != self._number:
            pass
        assert "error" not in told, told
        return told["result"]

    def _next(self):
        while b"\0" not in self._came:
            came = os.read(self._in, 1 << 16)
            assert came, "the browser has gone"
            self._came += came
        one, _, self._came = self._came.partition(b"\0")
        return json.loads(one)

    def open(self, file, part):
        """Go to a page, and to the chart in it."""
        self.call("Page.navigate", url=file.as_uri())
        self.until("document.querySelector('html.drawn') !== null")
        shown = f"document.querySelector('[data-chart={part}]')"
        self.run(f"{shown}.scrollIntoView({{behavior: 'instant', block: 'center'}})")
        self.until(f"{shown}.querySelector('.plot-container') !== null")

    def run(self, script):
        """What a script comes to."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, script):
        """Wait until it comes to something, and give that."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not (found := self.run(f"Boolean({script}) && ({script})")):
            assert time.monotonic() < end, script
            time.sleep(0.05)
        return found

    def box(self, selector, at=0):
        """Left, top, width and height of an element."""
        found = f"document.querySelectorAll({json.dumps(selector)})[{at}].getBoundingClientRect()"
        return self.run(f"(() => {{ const box = {found}; return [box.left, box.top, box.width, box.height]; }})()")

    def drag(self, way):
        """Press the mouse at the first place of a way, release it at the last."""
        for place, (x, y) in enumerate([way[0], *way, way[-1]]):
            kind = "mousePressed" if place == 0 else "mouseReleased" if place > len(way) else "mouseMoved"
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def swipe(self, way):
        """Lay a finger on the first place of a way, lift it from the last; one place is a tap."""
        for place, (x, y) in enumerate(way):
            kind = "touchMove" if place else "touchStart"
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def printed(self):
        """The page on paper, as PDF."""
        return base64.b64decode(self.call("Page.printToPDF")["data"])
