"""--check of both programs: a line for each thing that is right or wrong, with what to do; never a secret."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes import upstream as up
from fakes.mcp_server import NEWEST, OLDER, McpServer
from fakes.model import Raw, Status
from fakes.server import Exchange, Request
from fakes.tls import Authority, TlsModel
from fakes.upstream import Upstream
from harness.client import Client
from harness.services import ADMIN, PASSWORD, Perses, Prometheus
from harness.stack import MODEL_KEY, Stack, make_keys
from harness.wait import free_port, until
from harness.check import check, failing

PROJECT = "somebodys"
CLOSED = {"headers": {"Cookie": ""}, "secret": "no-user-token"}


def has(lines: list[str], *words: str) -> bool:
    return any(all(word in line for word in words) for line in lines)


# ---- the gateway ----

def flags(connections: int, timeout: str) -> Callable[[Exchange, Request], None]:
    """A Prometheus that was started so."""
    def answer(exchange: Exchange, request: Request) -> None:
        if request.path.endswith("/status/flags"):
            exchange.reply(200, up.success({"web.max-connections": str(connections), "web.read-timeout": timeout}))
        else:
            up.prometheus(exchange, request)

    return answer


@pytest.fixture(scope="module")
def own_perses(run_folder: Path, service_logs: Path) -> Iterator[Perses]:
    """One whose datasources are these tests' alone."""
    with Upstream() as metrics:
        metrics.behave = flags(8192, "15s")
        service = Perses(run_folder / "perses-check", service_logs, {"prometheus": metrics.url})
        service.start()
        service.metrics = metrics
        yield service
        service.process.terminate()


@pytest.fixture
def own(own_perses: Perses, make_stack: Callable[..., Stack]) -> Stack:
    """PersAI on a Perses in which all is as it should be."""
    stack = make_stack(own_perses.url, own_perses.sign_in).start()
    own_perses.put_gateway(stack.gateway.url)
    stack.perses = own_perses
    return stack


def token(perses: Perses, user: str = ADMIN) -> str:
    cookies = perses.sign_in(user)
    return f"{cookies['jwtPayload']}.{cookies['jwtSignature']}"


def gateway_env(stack: Stack, **more: str) -> dict[str, str]:
    env = {name: value for name, value in stack.gateway.process.env.items()
           if name not in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "PATH", "HOME", "LANG")}
    return {**env, "PERSES_TOKEN": token(stack.perses), **more}


def test_check_tells_a_line_each(own: Stack) -> None:
    env = gateway_env(own)
    good = check("gateway", env)
    assert {ok for ok, _ in good} == {"ok"}, good
    for words in ("Redis answers", "Perses answers, version 0.54", "authentication is on", "has the PersAI plugin",
                  f"Perses is asked as {ADMIN}", "Datasource persai leads to a gateway", "A gateway runs", "It has workers",
                  "No datasource but PersAI's is handed", "prometheus takes 546 queries a second"):
        assert has([line for _, line in good], words), (words, good)
    own.worker.process.terminate()
    until(lambda: Client(own.gateway.url).get("/readyz").status == 503, "no worker to be noticed")
    alone = failing(env)
    assert len(alone) == 1 and "workers" in alone[0] and "PERSAI_GATEWAYS" in alone[0], alone
    down = failing({**env, "PERSES_API_URL": "http://127.0.0.1:1", "PERSAI_REDIS": "redis://127.0.0.1:1/0",
                    "PERSAI_LISTEN": "127.0.0.1:1"})
    for words in ("set PERSAI_REDIS", "set PERSES_API_URL", "start persai-gateway"):
        assert has(down, words), (words, down)


def test_check_says_what_a_perses_lacks(bare: Stack) -> None:
    """Its authentication is off, and it has neither the plugin nor a datasource of its kind."""
    def answer(exchange: Exchange, request: Request) -> None:
        exchange.reply(200, {"/api/v1/health": b'{"version":"0.54.0"}', "/api/config": b'{"security":{"enable_auth":false}}'}
                       .get(request.path, b"[]"))

    bare.redis.start()
    with Upstream() as perses:
        perses.behave = answer
        bare.perses_url = perses.url
        env = {"PERSES_API_URL": perses.url, "PERSAI_REDIS": bare.redis.url, "PERSAI_LISTEN": f"127.0.0.1:{free_port()}"}
        lines = failing(env)
    for words in ("security.enable_auth: true", "403 perses_auth_off", "plugin.archive_paths", "as an administrator",
                  "start persai-gateway"):
        assert has(lines, words), (words, lines)


def test_without_a_sign_in_check_says_what_it_did_not_look_at(own: Stack) -> None:
    env = gateway_env(own, PERSES_TOKEN="")
    unseen = failing(env, "?")
    assert len(unseen) == 1 and has(unseen, "PERSES_TOKEN", "PERSES_USER", "PERSES_PASSWORD"), unseen
    assert failing(env) == []
    by_name = {**env, "PERSES_USER": ADMIN, "PERSES_PASSWORD": PASSWORD.format(ADMIN)}
    assert {how for how, _ in check("gateway", by_name)} == {"ok"}, check("gateway", by_name)
    wrong = check("gateway", {**by_name, "PERSES_PASSWORD": "not this one, surely"})
    assert has([line for how, line in wrong if how == "FAIL"], "PERSES_USER", "correct them"), wrong
    stale = check("gateway", {**env, "PERSES_TOKEN": token(own.perses)[:-4] + "AAAA"})
    assert has([line for how, line in stale if how == "FAIL"], "refuses PERSES_TOKEN"), stale
    assert has([line for how, line in stale if how == "?"], "PERSES_TOKEN"), stale


def test_a_service_user_sees_for_the_check_what_it_may(own: Stack) -> None:
    """robot reads datasources and no secrets: whether the one that is named replaces Authorization is not known."""
    env = gateway_env(own, PERSES_TOKEN="", PERSAI_SERVICE_USER="robot", PERSAI_SERVICE_PASSWORD=PASSWORD.format("robot"))
    lines = check("gateway", env)
    assert has([line for how, line in lines if how == "ok"], "Perses is asked as robot"), lines
    assert has([line for how, line in lines if how == "ok"], "Datasource persai leads to a gateway"), lines
    unseen = [line for how, line in lines if how == "?"]
    assert has(unseen, "global secrets", "administrator") and has(unseen, "Datasource prometheus", "can't be read"), unseen


@pytest.mark.parametrize("where,words", [
    ("http://127.0.0.1:1", ("leads to no gateway", "HTTP 500")), ("other", ("leads to no gateway", "HTTP 404")),
    ("page", ("leads to no gateway", "not PersAI's"))])
def test_a_persai_datasource_that_leads_nowhere(own: Stack, where: str, words: tuple[str, ...]) -> None:
    with Upstream() as other:
        if where == "page":
            other.behave = lambda exchange, _: exchange.reply(200, b"<html>welcome</html>", "text/html")
        own.perses.put_gateway(where if "//" in where else other.url)
        lines = failing(gateway_env(own))
    assert len(lines) == 1 and has(lines, "Datasource persai ", *words, "correct its proxy URL"), lines


def test_a_persai_datasource_with_another_word_than_the_gateway(own: Stack) -> None:
    word = "between-perses-and-persai"
    gateway = own.add_gateway(PERSAI_DATASOURCE_SECRET=word)
    own.perses.put_gateway(gateway.url, secret=word)
    env = gateway_env(own)
    assert has([line for _, line in check("gateway", env)], "Datasource persai leads to a gateway")
    own.perses.put_gateway(gateway.url, secret=word + "-no-more")
    lines = failing(env)
    assert has(lines, "Datasource persai ", "refuses", "PERSAI_DATASOURCE_SECRET"), lines
    own.perses.put_gateway(own.gateway.url)


class Many:
    """Datasources that are made for a test, and removed after it."""

    def __init__(self, perses: Perses) -> None:
        self.perses, self.cookies, self.made = perses, perses.sign_in(ADMIN), []
        self.put("/api/v1/projects", {"kind": "Project", "metadata": {"name": PROJECT}})

    def put(self, path: str, body: dict) -> None:
        answer = self.perses.api("POST", path, body, self.cookies)
        assert answer.status in (200, 409), (answer.status, answer.body)
        self.made.append(f"{path}/{body['metadata']['name']}")

    def source(self, name: str, proxy: dict, project: str = "", kind: str = "PrometheusDatasource") -> None:
        spec = {"default": False, "plugin": {"kind": kind, "spec": {"proxy": {"kind": "HTTPProxy", "spec": proxy}}}}
        if project:
            self.put(f"/api/v1/projects/{project}/datasources",
                     {"kind": "Datasource", "metadata": {"name": name, "project": project}, "spec": spec})
        else:
            self.put("/api/v1/globaldatasources", {"kind": "GlobalDatasource", "metadata": {"name": name}, "spec": spec})

    def remove(self) -> None:
        for path in reversed(self.made):
            self.perses.api("DELETE", path, cookies=self.cookies)


@pytest.fixture
def many(own_perses: Perses) -> Iterator[Many]:
    made = Many(own_perses)
    yield made
    made.remove()


def test_datasources_that_hand_the_sign_in_on_are_listed(own: Stack, many: Many) -> None:
    with Upstream() as theirs:
        url = theirs.url
        many.put("/api/v1/globalsecrets", {"kind": "GlobalSecret", "metadata": {"name": "only-tls"},
                                           "spec": {"tlsConfig": {"insecureSkipVerify": True}}})
        many.put(f"/api/v1/projects/{PROJECT}/secrets", {
            "kind": "Secret", "metadata": {"name": "its-key", "project": PROJECT},
            "spec": {"basicAuth": {"username": "u", "password": "p"}}})
        many.source("plain", {"url": own.perses.metrics.url})
        many.source("cookies-only", {"url": own.perses.metrics.url, "headers": {"Cookie": ""}})
        many.source("secret-only", {"url": own.perses.metrics.url, "secret": "no-user-token"})
        many.source("tls-secret", {"url": own.perses.metrics.url, "headers": {"Cookie": ""}, "secret": "only-tls"})
        many.source("theirs", {"url": url}, PROJECT)
        many.source("persai", {"url": url}, PROJECT, "PersAIDatasource")
        many.source("shut", {"url": url, "headers": {"cookie": ""}, "secret": "its-key"}, PROJECT)
        many.put(f"/api/v1/projects/{PROJECT}/dashboards", {
            "kind": "Dashboard", "metadata": {"name": "board", "project": PROJECT},
            "spec": {"duration": "1h", "layouts": [], "panels": {}, "datasources": {"inner": {
                "default": False, "plugin": {"kind": "PrometheusDatasource", "spec": {
                    "proxy": {"kind": "HTTPProxy", "spec": {"url": url}}}}}}}})
        lines = failing(gateway_env(own))
        asked = [request.raw() for request in theirs.seen()]
    named = {line.split(" hands the person's sign-in on to")[0].removeprefix("Datasource ")
             for line in lines if "hands the person's sign-in on" in line}
    assert named == {"plain", "cookies-only", "secret-only", "tls-secret", f"theirs of project {PROJECT}",
                     f"persai of project {PROJECT}", f"inner of project {PROJECT}, dashboard board"}, lines
    assert len(lines) == len(named), lines
    assert has(lines, f"theirs of project {PROJECT}", url, '"Cookie": ""'), lines
    # "shut" may be asked, as it gets nothing of who asks; the others of projects are not.
    assert len(asked) == 1 and b"jwt" not in asked[0], asked


def test_perses_connections_that_will_run_out(own: Stack, many: Many, tmp_path: Path, service_logs: Path) -> None:
    """A real Prometheus with the connections that it allows by default; then one whose words say nothing of it."""
    usual = Prometheus(tmp_path / "prometheus", service_logs, connections=512)
    try:
        usual.start()
        many.source("by-default", {"url": usual.url, **CLOSED})
        with Upstream() as victoria:
            many.source("victoria", {"url": victoria.url, **CLOSED})
            lines = check("gateway", gateway_env(own))
    finally:
        usual.stop()
    bad = [line for how, line in lines if how == "FAIL"]
    assert len(bad) == 1 and has(bad, "by-default takes 5 queries a second", "--web.max-connections=8192",
                                 "--web.read-timeout=15s"), bad
    assert has([line for how, line in lines if how == "ok"], "victoria answers"), lines


def test_datasources_that_do_not_answer_or_let_nothing_through(own: Stack, many: Many) -> None:
    many.source("gone", {"url": "http://127.0.0.1:1", **CLOSED})
    many.source("narrow", {"url": own.perses.metrics.url, **CLOSED,
                           "allowedEndpoints": [{"endpointPattern": "^/api/v1/query$", "method": "POST"}]})
    lines = check("gateway", gateway_env(own))
    assert has([line for how, line in lines if how == "FAIL"], "gone does not answer", "127.0.0.1:1"), lines
    assert has([line for how, line in lines if how == "?"], "narrow", "GET /api/v1/status/flags"), lines


@pytest.mark.parametrize("env,words", [
    ({"PERSAI_CORS_ORIGINS": "https://a.example/app"}, "PERSAI_CORS_ORIGINS"),
    ({"PERSAI_BEAT": "900ms"}, "PERSAI_BEAT"), ({"PERSAI_DATASOURCE_SECRET": "short"}, "PERSAI_DATASOURCE_SECRET"),
    ({"PERSAI_AUTH": "false", "PERSAI_LISTEN": "0.0.0.0:1"}, "PERSAI_AUTH=false"),
    ({"PERSAI_DURABILITY": "twice"}, "PERSAI_DURABILITY"), ({"PERSAI_REDIS": "http://x"}, "PERSAI_REDIS")])
def test_settings_that_a_start_refuses_are_told_of_by_check(env: dict[str, str], words: str) -> None:
    nothing = {"PERSES_API_URL": "http://127.0.0.1:1", "PERSAI_REDIS": "redis://127.0.0.1:1/0",
               "PERSAI_LISTEN": f"127.0.0.1:{free_port()}"}
    assert has(failing({**nothing, **env}), words)


@pytest.mark.parametrize("url,warned", [("http://perses.example.com", True), ("http://localhost:8080", False),
                                        ("https://perses.example.com", False), ("", False)])
def test_an_address_of_browsers_in_the_clear_is_warned_of(url: str, warned: bool) -> None:
    nothing = {"PERSES_API_URL": "http://127.0.0.1:1", "PERSAI_REDIS": "redis://127.0.0.1:1/0",
               "PERSAI_LISTEN": f"127.0.0.1:{free_port()}", "PERSAI_PUBLIC_URL": url}
    assert has(failing(nothing, "warn"), "PERSAI_PUBLIC_URL", "in the clear") == warned


# ---- the worker ----

def worker_env(stack: Stack, **more: str) -> dict[str, str]:
    env = {name: value for name, value in stack.worker.process.env.items()
           if name not in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "PATH", "HOME", "LANG")}
    return {**env, **more}


def of_models(stack: Stack, **more: str) -> list[str]:
    return [line for line in failing(worker_env(stack, **more), name="worker") if line.startswith("Model ")]


def test_a_worker_checks_itself(stack: Stack) -> None:
    before = len(stack.model.requests)
    good = check("worker", worker_env(stack))
    assert {how for how, _ in good} == {"ok"}, good
    for words in ("settings", "it takes this worker",
                  "Redis answers", "Redis is fit", "Perses answers", "Model openai/scripted answers, at 127.0.0.1"):
        assert has([line for _, line in good], words), (words, good)
    assert len(stack.model.requests) == before + 1 and len(stack.model.chats("ok")[-1]["tools"]) == 1
    down = failing(worker_env(stack, PERSES_API_URL="http://127.0.0.1:1", PERSAI_REDIS="redis://127.0.0.1:1/0"), name="worker")
    assert has(down, "set PERSAI_REDIS") and has(down, "set PERSES_API_URL") and len(down) == 2, down


def refusal(status: int, message: str, kind: str = "invalid_request_error", code: str = "") -> list[Status]:
    body = {"error": {"message": message, "type": kind, "code": code or None}}
    return [Status(status, json.dumps(body).encode())]


@pytest.mark.parametrize("reply,words", [
    (refusal(401, f"Incorrect API key provided: {MODEL_KEY}.", code="invalid_api_key"),
     ("refuses the key", "HTTP 401", "OPENAI_API_KEY")),
    (refusal(403, "Country not supported", "permission_error"), ("refuses the key", "HTTP 403")),
    (refusal(404, "The model `scripted` does not exist", code="model_not_found"),
     ('does not know "scripted"', "PERSAI_DEFAULT_MODEL")),
    ([Status(404, b"<html>nginx</html>", "text/html")], ('does not know "scripted"', "base URL")),
    (refusal(400, "Invalid model name passed in model=scripted"), ('does not know "scripted"',)),
    (refusal(400, "registry.ollama.ai/library/scripted does not support tools"), ("takes no tools", '"tools": "json"')),
    (refusal(429, "You exceeded your current quota, please check your plan", code="insufficient_quota"), ("used up",)),
    (refusal(429, "Rate limit reached", "rate_limit_error"), ("status 429",)),
    (refusal(500, f"cannot read key {MODEL_KEY}", "server_error"), ("status 500", "****")),
    ([Status(200, b"<html>a portal</html>", "text/html")], ("is not this API", "base URL")),
    ([Raw(b'data: {"error":{"code":"404","message":"no such model","type":"not_found_error"}}\n\n')], ("does not know",)),
])
def test_a_model_that_refuses_is_told_of_in_one_line(stack: Stack, reply: list, words: tuple[str, ...]) -> None:
    stack.model.when("the word ok", reply)
    lines = of_models(stack)
    assert len(lines) == 1 and has(lines, "openai/scripted", *words), lines
    assert MODEL_KEY not in lines[0]


@pytest.mark.parametrize("url,words", [
    ("http://127.0.0.1:1/v1", ("refused", "start the server")), ("http://no-such-host.invalid/v1", ("no such host",)),
    ("https://127.0.0.1:{port}/v1", ("begin with http://",))])
def test_a_model_that_is_not_there(stack: Stack, url: str, words: tuple[str, ...]) -> None:
    lines = of_models(stack, OPENAI_BASE_URL=url.format(port=stack.model.port))
    assert len(lines) == 1 and has(lines, "no answer from", *words), lines


def test_a_model_whose_certificate_nobody_signed(stack: Stack, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    model = TlsModel(authority)
    try:
        lines = of_models(stack, OPENAI_BASE_URL=model.base_url)
        assert len(lines) == 1 and has(lines, "TLS certificate", "SSL_CERT_FILE"), lines
        assert of_models(stack, OPENAI_BASE_URL=model.base_url, SSL_CERT_FILE=str(authority.ca)) == []
    finally:
        model.stop()


def test_every_model_of_the_file_is_asked(stack: Stack, tmp_path: Path) -> None:
    """Each in its own format; one behind Perses needs a person's sign-in."""
    path = tmp_path / "models.json"
    path.write_text(json.dumps([
        {"name": "good", "provider": "openai", "model": "scripted", "base_url": stack.model.base_url},
        {"name": "claude", "provider": "anthropic", "model": "claude-x", "base_url": stack.model.url, "key_env": "SOME_KEY"},
        {"name": "gem", "provider": "google", "model": "gemini-x", "base_url": stack.model.url, "key_env": "SOME_KEY"},
        {"name": "resp", "provider": "openai", "api": "responses", "model": "m", "base_url": stack.model.base_url},
        {"name": "inside", "provider": "openai", "model": "m", "base_url": "perses:/proxy/globaldatasources/nobody/v1"}]))
    env = worker_env(stack, PERSAI_MODELS=str(path), PERSAI_DEFAULT_MODEL="good", SOME_KEY="sk-some-key-which-is-secret")
    lines = [(how, line) for how, line in check("worker", env) if line.startswith("Model ")]
    assert [how for how, _ in lines] == ["ok", "FAIL", "FAIL", "FAIL", "?"], lines
    assert has([lines[4][1]], "inside", "PERSES_TOKEN")
    with_token = dict(env, PERSES_TOKEN=stack.client(bearer=True).bearer)
    assert has(failing(with_token, name="worker"), "inside"), "asked, and refused by Perses"


@pytest.mark.parametrize("env,words", [
    ({"PERSAI_MODELS": "/does/not/exist.json"}, "PERSAI_MODELS"), ({"PERSAI_DOCS": "/does/not/exist"}, "PERSAI_DOCS"),
    ({"PERSAI_MCP": "/does/not/exist.json"}, "PERSAI_MCP"), ({"PERSAI_GATEWAYS": "tcp://1.2.3.4:5"}, "PERSAI_GATEWAYS"),
    ({"PERSAI_DEFAULT_MODEL": "nobody/nothing"}, "PERSAI_DEFAULT_MODEL"), ({"OPENAI_BASE_URL": "x:1"}, "OPENAI_BASE_URL")])
def test_settings_that_a_worker_refuses_are_told_of_by_check(env: dict[str, str], words: str) -> None:
    nothing = {"PERSES_API_URL": "http://127.0.0.1:1", "PERSAI_REDIS": "redis://127.0.0.1:1/0",
               "OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "PERSAI_DEFAULT_MODEL": "openai/x"}
    assert has(failing({**nothing, **env}, name="worker"), words)


def test_a_worker_says_which_gateway_does_not_take_it(bare: Stack, tmp_path: Path) -> None:
    """Its own keys are good; then another gateway's, a key that is off the list, none, and nobody who listens."""
    bare.keys, other = make_keys(tmp_path / "keys"), make_keys(tmp_path / "other")
    bare.start()
    env = worker_env(bare)
    mute = f"tcp://127.0.0.1:{free_port()}"
    lines = check("worker", {**env, "PERSAI_GATEWAYS": f"{bare.gateway.broker},{mute}"})
    about = [(how, line) for how, line in lines if line.startswith("Gateway at ")]
    assert [how for how, _ in about] == ["ok", "FAIL"] and has([about[1][1]], mute, "start persai-gateway"), lines

    for name in ("worker.key", "worker.key_secret"):
        (other / name).rename(other / f"away-{name}")
        (other / name).write_bytes((bare.keys / name).read_bytes())
    assert has(failing({**env, "PERSAI_KEYS": str(other)}, name="worker"), "Gateway at", "gateway.key"), "the gateway is another"
    for name in ("worker.key", "worker.key_secret"):
        (other / f"away-{name}").rename(other / name)
    for name in ("gateway.key", "gateway.key_secret"):
        (other / name).write_bytes((bare.keys / name).read_bytes())
    assert has(failing({**env, "PERSAI_KEYS": str(other)}, name="worker"), "refuses this worker's key", "workers")
    (other / "worker.key_secret").unlink()
    assert has(failing({**env, "PERSAI_KEYS": str(other)}, name="worker"), "worker.key_secret", "can't be read")
    no_keys = {name: value for name, value in env.items() if name != "PERSAI_KEYS"}
    assert has(failing({**no_keys, "PERSAI_BROKER_OPEN": "true"}, name="worker"), "Gateway at", "PERSAI_KEYS")
    assert bare.workers[0].process.running() and "worker.hello" in bare.gateway.process.log.read_text()
    assert bare.gateway.process.log.read_text().count("event=worker.hello") == 1, "a check has met a gateway as a worker"


def test_a_gateway_whose_keys_lack_something(tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys")
    env = {"PERSES_API_URL": "http://127.0.0.1:1", "PERSAI_REDIS": "redis://127.0.0.1:1/0", "PERSAI_KEYS": str(keys),
           "PERSAI_LISTEN": f"127.0.0.1:{free_port()}", "PERSAI_BROKER": "tcp://0.0.0.0:8100"}
    assert has(failing(env, "ok"), "broker's keys")
    (keys / "workers" / "worker.key").unlink()
    assert has(failing(env), "no key of a worker")
    (keys / "gateway.key_secret").unlink()
    assert has(failing(env), "gateway.key_secret can't be read")
    assert has(failing({**env, "PERSAI_KEYS": ""}), "The broker:", "PERSAI_KEYS")


@pytest.mark.parametrize("version", [NEWEST, OLDER[0]])
def test_mcp_servers_are_asked_for_their_tools(stack: Stack, tmp_path: Path, version: str) -> None:
    path = tmp_path / "mcp.json"
    with McpServer(free_port(), version) as server:
        def write(url: str, *tools: str) -> None:
            path.write_text(json.dumps([{"name": "tix", "url": url, "key_env": "TIX_KEY",
                                         "tools": {tool: "read" for tool in tools}}]))

        env = worker_env(stack, PERSAI_MCP=str(path), TIX_KEY="tix-key-1-long-enough")
        write(server.url, "search", "create")
        assert has(failing(env, "ok", "worker"), "MCP server tix", "2 tools"), check("worker", env)
        write(server.url, "search", "serach")
        assert has(failing(env, name="worker"), "MCP server tix", "1 of 2", "serach")
        write(server.url + "/elsewhere", "search")
        assert has(failing(env, name="worker"), "MCP server tix", "HTTP 404", "PERSAI_MCP")
    write("http://127.0.0.1:1/mcp", "search")
    assert has(failing(env, name="worker"), "MCP server tix", "refused")


def test_documents_are_counted(stack: Stack, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    env = worker_env(stack, PERSAI_DOCS=str(folder))
    (folder / "manual.pdf").write_text("no document")
    assert has(failing(env, name="worker"), "Documents of", "none", ".markdown")
    (folder / "pumps.md").write_text("# Pumps\nTwo.")
    assert has(failing(env, "ok", "worker"), "Documents of", "1 are indexed")
    (folder / "huge.txt").write_text("x" * (1 << 20) + "y")
    assert has(failing(env, name="worker"), "Documents of", "1 are indexed, 1 are not")


def test_a_tool_that_is_misspelt_in_offers(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_text(json.dumps([{"name": "small", "provider": "openai", "model": "scripted", "base_url": stack.model.base_url,
                                 "offers": ["list_metrics", "list_metricks"]}]))
    lines = failing(worker_env(stack, PERSAI_MODELS=str(path), PERSAI_DEFAULT_MODEL="small"), name="worker")
    assert len(lines) == 1 and has(lines, "small", "list_metricks"), lines
