"""A headless Chromium, driven through its pipe: one page, its console, its network, real mouse events and pictures.

Chromium's remote debugging speaks JSON, one message up to a NUL byte, on the file descriptors 3 and 4. So no package is
needed, no port is opened, and every wait ends: with an answer or with `PATIENCE`.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time

PATIENCE = 40.0  # seconds for one answer; pytest's own limit is above it
NAMES = ("chromium", "chromium-browser", "google-chrome")

PROGRAM = next((found for found in map(shutil.which, NAMES) if found), None)
FLAGS = (
    "--headless",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-features=IsolateSandboxedIframes",  # else such a frame is a page of its own
    "--remote-debugging-pipe",
)

# Becomes Chromium with the two pipes as 3 and 4; first they are moved out of the way, since either may be one of these.
LAUNCH = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]
os.dup2(pipes[0], 3)
os.dup2(pipes[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Chromium:
    """One page. `requests` are the addresses that it asked for, `complaints` its uncaught errors and console errors."""

    def __init__(self, profile, width=1200, height=700):
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.buffer = b""
        self.last = 0
        self.session = None
        self.loaded = False
        read_theirs, self.write_to = os.pipe()
        self.read_from, write_theirs = os.pipe()
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [PROGRAM, *FLAGS, *root, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        self.process = subprocess.Popen(
            [sys.executable, "-ISc", LAUNCH, str(read_theirs), str(write_theirs), *command],
            pass_fds=(read_theirs, write_theirs),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_theirs)
        os.close(write_theirs)
        try:
            target = self.call("Target.createTarget", url="about:blank")
            attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
            self.session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.end()
            raise

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
            self.process.wait(PATIENCE)
        finally:
            self.end()

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.write_to)
        os.close(self.read_from)

    def call(self, method, **params):
        """Send a command and wait for its answer; what happens meanwhile is noted."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write_to, data) :]
        while (answer := self.receive()).get("id") != self.last:
            self.note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def receive(self):
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            if not select.select([self.read_from], [], [], max(end - time.monotonic(), 0))[0]:
                raise TimeoutError("no answer from Chromium")
            data = os.read(self.read_from, 1 << 20)
            if not data:
                raise RuntimeError(f"Chromium ended with {self.process.wait()}")
            self.buffer += data
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def note(self, event):
        params = event.get("params", {})
        match event.get("method"):
            case "Page.loadEventFired":
                self.loaded = True
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"].get("exception", params)))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.complaints.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled" if params["type"] == "error":
                self.complaints.append(str(params["args"]))

    def open(self, url):
        self.requests.clear()
        self.complaints.clear()
        self.loaded = False
        self.call("Page.navigate", url=url)
        while not self.loaded:
            self.note(self.receive())

    def run(self, expression, **where):
        """The value of a JavaScript expression; a promise is waited for."""
        how = {"awaitPromise": True, "returnByValue": True, **where}
        answer = self.call("Runtime.evaluate", expression=expression, **how)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]["exception"].get("description")))
        return answer["result"].get("value")

    def run_in_frame(self, expression):
        """The same within the page's only frame; of that, the document alone is visible."""
        (child,) = self.call("Page.getFrameTree")["frameTree"]["childFrames"]
        world = self.call("Page.createIsolatedWorld", frameId=child["frame"]["id"])["executionContextId"]
        return self.run(expression, contextId=world)

    def mouse(self, kind, x, y, **more):
        """kind is Moved, Pressed, Released or Wheel."""
        self.call("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **more)

    def click(self, x, y):
        self.mouse("Moved", x, y)
        self.mouse("Pressed", x, y, button="left", clickCount=1)
        self.mouse("Released", x, y, button="left", clickCount=1)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def key(self, name):
        code = {"Enter": 13, "Escape": 27}.get(name, 0)
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)

    def picture(self):
        """The page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
