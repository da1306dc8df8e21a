"""The demo in a browser: two tabs chat, a manifest is edited, and the same sockets live on."""

import subprocess
from pathlib import Path

import pytest

from curl import curl
from gateway import free_port, wait_for
from manifests import secret

EXAMPLES = Path(__file__).parents[2] / "target/debug"
DEMO = Path(__file__).parents[2] / "manifests/demo"


class Example:
    """One of the demo's backends."""

    def __init__(self, name):
        self.port = free_port()
        self.process = subprocess.Popen([EXAMPLES / name, "--listen", f"127.0.0.1:{self.port}", "--name", name])
        wait_for(lambda: curl_answers(self.port), f"{name} listens")

    def close(self):
        self.process.kill()
        self.process.wait()


def curl_answers(port):
    return subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/healthz"]).returncode == 0


@pytest.fixture
def chat():
    example = Example("chat")
    yield example
    example.close()


@pytest.fixture
def hello():
    example = Example("hello")
    yield example
    example.close()


@pytest.fixture
def demo(gateway, chat, hello, certificate):
    """The demo's own manifests, with the backends where they are in this test."""
    for file in DEMO.glob("*.yaml"):
        gateway.write(file.name, file.read_text().replace("9101", str(chat.port)).replace("9102", str(hello.port)))
    gateway.write("tls-secret.json", secret("demo-tls", certificate("localhost", "chat.localhost")))
    return gateway.start()


class Person:
    """A tab with the chat open."""

    def __init__(self, browser, name, url):
        self.browser, self.name = browser, name
        assert browser.do("open", name, url) == 200
        browser.do("wait", name, "#status", "connected since")
        browser.do("type", name, "#name", name)

    def says(self, text):
        self.browser.do("type", self.name, "#text", text)

    def hears(self, text):
        self.browser.do("wait", self.name, "#log li", text)

    def sees(self, name):
        self.browser.do("wait", self.name, "#people", name)

    def status(self):
        return self.browser.do("text", self.name, "#status")

    def handshakes(self):
        """101 for a session of its own connection, 200 for one over HTTP/2."""
        return self.browser.do("handshakes", self.name)


def talk(one, other, words):
    one.says(words)
    other.hears(f"{one.name}: {words}")
    other.says(f"re: {words}")
    one.hears(f"{other.name}: re: {words}")


def edit(gateway, name, old, new):
    text = (gateway.manifests / name).read_text()
    assert old in text
    gateway.apply(name, text.replace(old, new))


@pytest.mark.parametrize("scheme, host", [("http", "localhost"), ("https", "localhost"),
                                          ("http", "chat.localhost"), ("https", "chat.localhost")])  # fmt: skip
def test_a_chat_goes_on_while_manifests_are_edited(browser, demo, scheme, host):
    url = demo.url("/", scheme).replace("localhost", host)
    ann, ben = Person(browser, "Ann", url), Person(browser, "Ben", url)
    ann.sees("Ben")
    talk(ann, ben, "before any edit")
    since = ann.status(), ben.status()
    assert "0 reconnects" in since[0]

    edit(demo, "ingress.yaml", "path: /hello", "path: /greetings")  # another route
    assert curl(demo.url("/greetings")).status == 200
    talk(ann, ben, "after an edit of another route")

    edit(demo, "gateway.yaml", "requestTimeout: 60", "requestTimeout: 90")  # the settings of one of the two
    edit(demo, "ingress.yaml", "pathType: Prefix", "pathType: ImplementationSpecific")
    talk(ann, ben, "after edits of this route")

    edit(demo, "ingress.yaml", "            name: chat", "            name: hello")  # where the route goes
    assert b"Hello from hello" in curl(demo.url("/")).body
    talk(ann, ben, "after the route went elsewhere")
    assert (ann.status(), ben.status()) == since


def test_a_chat_goes_on_when_certificates_are_renewed(browser, demo, certificate):
    url = demo.url("/", "https")
    ann, ben = Person(browser, "Ann", url), Person(browser, "Ben", url)
    talk(ann, ben, "before")
    demo.apply("tls-secret.json", secret("demo-tls", certificate("localhost", "chat.localhost", "renewed.example")))
    talk(ann, ben, "after")
    assert "0 reconnects" in ann.status() and "0 reconnects" in ben.status()


def test_http_and_https_tabs_meet(browser, demo):
    ann, ben = Person(browser, "Ann", demo.url("/", "http")), Person(browser, "Ben", demo.url("/", "https"))
    talk(ann, ben, "over ws and wss")


def test_over_https_the_chat_goes_over_the_http2_connection_of_its_page(browser, demo):
    ann, ben = Person(browser, "Ann", demo.url("/", "https")), Person(browser, "Ben", demo.url("/", "https"))
    talk(ann, ben, "over HTTP/2")
    assert (ann.handshakes(), ben.handshakes()) == ([200], [200])
    cat = Person(browser, "Cat", demo.url("/", "http"))
    talk(ann, cat, "with HTTP/1.1")
    assert cat.handshakes() == [101]


def test_the_page_comes_back_by_itself_after_a_restart(browser, demo, tmp_path):
    """The count of reconnects is no ornament: it counts."""
    ann = Person(browser, "Ann", demo.url("/", "http"))
    demo.terminate()
    assert demo.exit_code() == 0
    browser.do("wait", "Ann", "#status", "not connected")
    demo.start()
    browser.do("wait", "Ann", "#status", "1 reconnect ")


def test_the_other_page_shows_its_request(browser, demo):
    assert browser.do("open", "page", demo.url("/hello", "https")) == 200
    text = browser.do("text", "page", "body")
    assert "Hello from hello" in text and "x-forwarded-proto: https" in text and "x-request-id: " in text
