"""A headless Chromium that tests of pages drive, through the DevTools protocol and two pipes.

XKDE_CHROMIUM names one; XKDE_SCREENSHOTS a folder for pictures.
"""

import base64
import json
import os
import shutil
import subprocess

BROWSERS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
KEYS = {"Tab": ("Tab", 9, ""), "Enter": ("Enter", 13, "\r"), "Escape": ("Escape", 27, "")}


def browser():
    return os.environ.get("XKDE_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def why_none():
    return "no Chromium here: none of " + ", ".join(BROWSERS) + ", and XKDE_CHROMIUM is not set"


class Chromium:
    """Speaks the DevTools protocol through two pipes."""

    def __init__(self, program, folder):
        to_read, self.to = os.pipe()
        self.source, from_write = os.pipe()
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                   "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{from_write}', "bash", *command],
            pass_fds=(to_read, from_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.bytes, self.number, self.session, self.events = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def close(self):
        os.close(self.to)
        os.close(self.source)
        self.process.kill()
        self.process.wait()

    def message(self):
        while b"\0" not in self.bytes:
            part = os.read(self.source, 1 << 16)
            if not part:
                raise EOFError("the browser ended")
            self.bytes += part
        text, self.bytes = self.bytes.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        asked = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            asked["sessionId"] = self.session
        os.write(self.to, json.dumps(asked).encode() + b"\0")
        while True:
            told = self.message()
            if told.get("id") == self.number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']}")
                return told["result"]
            self.events.append(told)

    def open(self, page, width):
        """Opens a file, or an address with its scheme."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
        self.events.clear()
        self.call("Page.navigate", url=page if "://" in page else "file://" + os.path.abspath(page))
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.message())

    def value(self, expression):
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in told:
            raise RuntimeError(f"{expression}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def press(self, key):
        name, code, text = KEYS[key]
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            written = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **written)

    def tab_to(self, text):
        """Presses Tab until what has the focus shows `text`."""
        for _ in range(40):
            self.press("Tab")
            if self.value("document.activeElement.textContent").startswith(text):
                return
        raise AssertionError(f"Tab does not come to {text!r}")

    def complaints(self, own="file://"):
        """Errors of the console, and requests for anything but what begins with `own` and what a page makes itself."""
        bad = [event for event in self.events if event.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")
               or (event.get("method") == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "warning"))]
        asked = [event["params"]["request"]["url"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return bad + [url for url in asked if not url.startswith((own, "blob:null/", "data:"))]

    def picture(self, name):
        folder = os.environ.get("XKDE_SCREENSHOTS")
        if folder:
            data = self.call("Page.captureScreenshot", format="png")["data"]
            with open(os.path.join(folder, name), "wb") as file:
                file.write(base64.b64decode(data))
