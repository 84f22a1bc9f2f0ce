"""Who is not asked in cannot launch a run: read-only, from another address, from another page, without a password."""

import base64
import http.client
import json
import socket
import ssl
import subprocess
import sys
import urllib.parse
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import services
from proxies import PROXIES
from test_ui import PATIENCE, browser

pytestmark = [pytest.mark.system, pytest.mark.cold]

__all__ = ["browser"]  # a fixture

SELECTOR = {**services.REPOSITORY, "jobName": "demo"}
BODY = json.dumps({"query": services.LAUNCH, "variables": {"selector": SELECTOR}})
INLINE = (
    'mutation{launchRun(executionParams:{selector:{repositoryLocationName:"conservatory",'
    'repositoryName:"__repository__",jobName:"demo"}}){__typename}}'
)
BY_ADDRESS = "/graphql?" + urllib.parse.urlencode({"query": INLINE})
JSON = {"Content-Type": "application/json"}


def send(url: str, method: str, path: str, body: str | None = None, context=None, **headers: str) -> tuple[int, str]:
    """The status and text that answer a request with just these headers."""
    to = urllib.parse.urlsplit(url)
    connection = (
        http.client.HTTPSConnection(to.hostname, to.port, timeout=60, context=context)
        if to.scheme == "https"
        else http.client.HTTPConnection(to.hostname, to.port, timeout=60)
    )
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def count(team) -> int:
    return len(team.runs())


def test_the_page_itself_launches(team):
    before = count(team)
    origin = {"Origin": team.url, "Content-Type": "application/json"}
    status, text = send(team.url, "POST", "/graphql", BODY, **origin)
    assert status == 200 and "LaunchRunSuccess" in text
    assert count(team) == before + 1


def test_guests_look_and_launch_nothing(team):
    before = count(team)
    status, text = send(team.guests_url, "POST", "/graphql", BODY, **JSON)
    assert status == 200 and "UnauthorizedError" in text and "LaunchRunSuccess" not in text
    turned_on = 'mutation{startSchedule(scheduleSelector:{%s,scheduleName:"weekly_retrain"}){__typename}}'
    names = ",".join(f'{key}:"{value}"' for key, value in services.REPOSITORY.items())
    assert (
        "UnauthorizedError"
        in send(team.guests_url, "POST", "/graphql", json.dumps({"query": turned_on % names}), **JSON)[1]
    )
    for kind in ("materialization", "check", "observation"):
        status, text = send(team.guests_url, "POST", f"/report_asset_{kind}/raw?check_name=schema&passed=true")
        assert status in (401, 403), text
    limit = 'mutation{setConcurrencyLimit(concurrencyKey:"gpu",limit:9){__typename}}'
    send(team.guests_url, "POST", "/graphql", json.dumps({"query": limit}), **JSON)
    told = team.ask("{instance{concurrencyLimits{concurrencyKey limit}}}")["instance"]["concurrencyLimits"]
    assert {"concurrencyKey": "gpu", "limit": 9} not in told
    assert count(team) == before
    assert "demo" in send(team.guests_url, "POST", "/graphql", json.dumps({"query": services.RUNS}), **JSON)[1]


def test_another_address_is_not_answered(team):
    others = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    ]
    if not others:
        pytest.skip("this machine has no address but the loopback's")
    ports = [int(team.environment[f"CONSERVATORY_{name}"]) for name in ("CODE_PORT", "PORT", "GUESTS_PORT")]
    assert all(services.listens(port) for port in ports)
    for port in ports:
        with socket.socket() as connection:
            connection.settimeout(5)
            assert connection.connect_ex((others[0], port)) != 0


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", "/graphql", BODY, {**JSON, "Origin": "http://evil.example"}),
        ("POST", "/graphql", BODY, {**JSON, "Origin": "null"}),
        ("POST", BY_ADDRESS, "", {"Content-Type": "text/plain", "Origin": "http://evil.example"}),
        ("GET", BY_ADDRESS, None, {"Accept": "image/*"}),
        ("GET", BY_ADDRESS, None, {}),
        ("POST", "/report_asset_materialization/raw", "", {"Origin": "http://evil.example"}),
        ("POST", "/graphql", BODY, {**JSON, "Host": "evil.example"}),
        ("POST", "/graphql", BODY, {**JSON, "Host": "evil.example:3000", "Origin": "http://evil.example:3000"}),
        ("POST", "/graphql", BODY, {**JSON, "Host": "127.0.0.1.evil.example"}),
    ],
)
def test_another_page_is_refused(team, method, path, body, headers):
    before = count(team)
    status, text = send(team.url, method, path, body, **headers)
    assert status == 403 and text.startswith("Refused: "), text
    assert count(team) == before


def test_another_page_in_a_real_browser(team, browser, tmp_path):
    """Everything a page can try without being let: none of it arrives as a run."""
    before = count(team)
    (tmp_path / "index.html").write_text(
        f"""<h1>evil</h1><img id=i src="{team.url}{BY_ADDRESS}"><iframe src="{team.url}/runs"></iframe>
        <form id=f method=post action="{team.url}{BY_ADDRESS}" target=t></form><iframe name=t></iframe>"""
    )
    with other_page(tmp_path) as url:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(url)
        page.evaluate("document.getElementById('f').submit()")
        attempt = """async ([url, path, body]) => {
          const said = [];
          for (const options of [
            {method: 'POST', body},
            {method: 'POST', mode: 'no-cors', body, headers: {'content-type': 'text/plain'}},
            {method: 'POST', body, headers: {'content-type': 'application/json'}},
          ]) said.push(await fetch(url + '/graphql', options).then(r => r.type + r.status, e => 'blocked'));
          said.push(await fetch(url + path, {mode: 'no-cors'}).then(r => r.type, e => 'blocked'));
          said.push(await new Promise(done => {
            const socket = new WebSocket(url.replace('http', 'ws') + '/graphql', 'graphql-ws');
            socket.onopen = () => done('open');
            socket.onerror = () => done('blocked');
          }));
          return said;
        }"""
        said = page.evaluate(attempt, [team.url, BY_ADDRESS, BODY])
        assert said[2] == "blocked" and said[4] == "blocked", said
        page.wait_for_load_state("networkidle")
        assert not any("Dagster" in (frame.title() or "") for frame in page.frames[1:])
        page.close()
    assert count(team) == before


@contextmanager
def other_page(folder: Path):
    port = services.free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        services.wait_for(lambda: services.listens(port), "the other page")
        yield f"http://localhost:{port}/"
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module", params=PROXIES)
def proxy(request, team, tmp_path_factory):
    """Each documented proxy before both pages, on a port; the names in it lead to this machine."""
    with PROXIES[request.param](team, tmp_path_factory.mktemp(request.param)) as port:
        yield port


class Named(ssl.SSLContext):
    """Trusts the test's certificate and asks for the name it is given, wherever that is."""

    name = ""

    def wrap_socket(self, *arguments, **options):
        return super().wrap_socket(*arguments, **{**options, "server_hostname": self.name})


def through(port: int, name: str, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
    context = Named(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode, context.name = False, ssl.CERT_NONE, name
    return send(f"https://127.0.0.1:{port}", method, path, body, context, Host=f"{name}:{port}", **headers)


def password(who: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{who}:{who}".encode()).decode()}


def test_the_proxy_asks_for_a_password(team, proxy):
    before = count(team)
    for wrong in ({}, password("stranger"), password("guests")):
        for path in ("/", "/graphql", "/server_info", "/report_asset_materialization/raw"):
            assert through(proxy, "dagster.example.org", "POST", path, BODY, **JSON, **wrong)[0] == 401
    assert count(team) == before
    with pytest.raises(ssl.SSLError):
        through(proxy, "another.example.org", "GET", "/")


def test_the_team_launches_through_the_proxy_and_other_pages_do_not(team, proxy):
    before = count(team)
    name = "dagster.example.org"
    asked = {**JSON, **password("team"), "Origin": f"https://{name}:{proxy}"}
    status, text = through(proxy, name, "POST", "/graphql", BODY, **asked)
    assert status == 200 and "LaunchRunSuccess" in text
    assert count(team) == before + 1
    status, text = through(proxy, name, "POST", "/graphql", BODY, **{**asked, "Origin": "https://evil.example"})
    assert status == 403
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    socket_key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": "graphql-ws"}
    for origin, expected in ((f"https://{name}:{proxy}", 101), ("https://evil.example", 403)):
        headers = {**upgrade, **socket_key, **password("team"), "Origin": origin}
        assert through(proxy, name, "GET", "/graphql", **headers)[0] == expected
    assert count(team) == before + 1


def test_guests_through_the_proxy_look_and_launch_nothing(team, proxy):
    before = count(team)
    asked = {**JSON, **password("guests")}
    assert "UnauthorizedError" in through(proxy, "guests.example.org", "POST", "/graphql", BODY, **asked)[1]
    assert through(proxy, "guests.example.org", "GET", "/runs", **asked)[0] == 200
    assert count(team) == before
