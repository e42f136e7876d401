"""A headless Chromium by its DevTools protocol: pages, what runs in them, and what they complain of."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from endpoint import SKIPPED

try:
    import websocket
except ImportError:
    websocket = None

if websocket is None or shutil.which("chromium") is None:
    print("skipped: no chromium or no python3-websocket")
    sys.exit(SKIPPED)

# Without its sandbox, which needs namespaces that root in a container may not have; it sees nothing
# but our own page.
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-extensions", "--disable-default-apps", "--mute-audio", "--hide-scrollbars",
         "--remote-debugging-port=0", "--window-size=1280,900", "--lang=en-GB")


class Chromium:
    """One browser; each page is a tab of its own."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="ek-chromium-")
        with open(pathlib.Path(self.dir) / "log", "wb") as log:
            self.process = subprocess.Popen(["chromium", *FLAGS, f"--user-data-dir={self.dir}", "about:blank"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        port_file = pathlib.Path(self.dir) / "DevToolsActivePort"
        end = time.monotonic() + 60
        while not (port_file.exists() and port_file.read_text().count("\n")):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError((pathlib.Path(self.dir) / "log").read_text(errors="replace"))
            time.sleep(0.05)
        self.port = int(port_file.read_text().split()[0])

    def page(self, width=1280, height=900):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            target = json.load(answer)
        return Page(target["webSocketDebuggerUrl"], width, height)

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.dir, ignore_errors=True)


class Page:
    """A tab. `complaints`: what was written to its console as an error, exceptions, refusals of the
    content security policy, and requests that failed."""

    def __init__(self, url, width, height):
        self.socket = websocket.create_connection(url, timeout=60, suppress_origin=True)
        self.count = 0
        self.complaints = []
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.resize(width, height)

    def send(self, method, **params):
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.count:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]
            self.hear(message)

    def hear(self, message):
        params = message.get("params", {})
        if message["method"] == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(("exception", details.get("exception", {}).get("description", str(details))))
        elif message["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.complaints.append(("console", str(params["args"])))
        elif message["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append((params["entry"]["source"], params["entry"]["text"]))

    def resize(self, width, height, mobile=False):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def prefer(self, theme):
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def go(self, url):
        self.send("Page.navigate", url=url)
        self.until(f"document.URL === {json.dumps(url)} && document.readyState !== 'loading'")

    def run(self, expression):
        """The value of an expression, also of one that is awaited."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, expression, seconds=40):
        """Waits until the expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise AssertionError(f"{expression} never came true; the page says:\n{self.text()}\n{self.complaints}")
            time.sleep(0.05)

    def text(self):
        return self.run("document.body.innerText")

    def click(self, selector):
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, selector, text):
        self.run(f"document.querySelector({json.dumps(selector)}).value = {json.dumps(text)}")

    def picture(self, **clip):
        """The page as a PNG, in base64."""
        return self.send("Page.captureScreenshot", format="png", **clip)["data"]

    def close(self):
        self.send("Page.close")
        self.socket.close()
