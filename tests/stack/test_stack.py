"""The whole stack in containers, as a user with Docker has it: the real compose file, asked through Perses and the
load balancer, while its parts come, go and die."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlencode

import pytest
from conftest import PROXY, Stack
from docker import BASE, OURS, STATE, TOP, Compose, Engine, note
from harness.client import Client
from harness.wait import free_port
from load import Load
from still import until

JOBS = {"prometheus", "perses", "node", "persai-gateway", "persai-worker"}
SERVICES = ("perses", "redis", "gateway", "worker", "lb", "demo-model", "prometheus", "node-exporter")


def query(stack: Stack, client: Client, expression: str) -> list[dict]:
    plain = Client(stack.url, cookies=client.cookies, prefix="/proxy/globaldatasources/prometheus")
    answer = plain.get("/api/v1/query?" + urlencode({"query": expression}))
    assert answer.status == 200, (expression, answer.body)
    return answer.json()["data"]["result"]


def test_setup_tells_the_address_and_where_passwords_are(stack: Stack) -> None:
    lines = [line.split("|", 1)[-1].strip() for line in stack.started.splitlines() if "|" in line]
    assert lines[-2].startswith(f"Perses    http://localhost:{stack.port}"), lines
    assert not [user for user in ("admin", "demo", "viewer") if stack.password(user) in stack.started]
    shown = stack.compose.run("run", "--rm", "--no-deps", "setup", "passwords")
    assert shown.strip().splitlines()[-1].split("(")[0].split() == ["sign", "in", "demo", "/", stack.password("demo")]


def test_setup_can_run_again(stack: Stack) -> None:
    before = {user: stack.password(user) for user in ("admin", "demo", "viewer")}
    stack.compose.run("run", "--rm", "--no-deps", "setup")
    assert before == {user: stack.password(user) for user in before}


def test_a_question_through_perses_and_the_load_balancer(stack: Stack) -> None:
    demo = stack.sign_in("demo")
    # Before the first scrape there is no figure that an answer could give.
    until("the machine was scraped twice", lambda: query(stack, demo, "rate(node_cpu_seconds_total[1m])"), 120)
    session = demo.session()
    turn = demo.start(session, "Which targets are up, and how busy is this machine's CPU?")
    log = demo.follow(session, turn)
    assert log.answer().startswith("Demo model") and "node_cpu_seconds_total" in log.answer()
    assert {call["tool_name"] for call, _ in log.tools()} >= {"list_metrics", "execute_instant_query"}


def test_prometheus_scrapes_every_part(stack: Stack) -> None:
    demo = stack.sign_in("demo")
    until("every job is up", lambda: {s["metric"]["job"] for s in query(stack, demo, "up == 1")} == JOBS)


def test_many_queries_leave_prometheus_reachable(stack: Stack) -> None:
    """Perses leaves the connection of each open for a while."""
    demo = stack.sign_in("demo")
    for _ in range(520):  # a Prometheus of its own settings has 512
        query(stack, demo, "1")
    assert query(stack, demo, "up == 1")


def test_perses_is_closed_and_its_plugin_there(stack: Stack) -> None:
    nobody, demo = Client(stack.url), stack.sign_in("demo")
    assert nobody.get("/api/v1/globaldatasources").status == 401
    assert nobody.get(PROXY + "/sessions").status in (401, 403)
    assert nobody.post("/api/v1/users", {"kind": "User", "metadata": {"name": "eve"},
                                         "spec": {"nativeProvider": {"password": "eve-eve-eve"}}}).status in (401, 403, 405)
    assert '"PersAIExplorer"' in nobody.get("/api/v1/plugins").body.decode()
    plain = Client(stack.url, cookies=demo.cookies)
    assert plain.get("/api/v1/projects/persai/dashboards/persai").status == 200
    viewer = Client(stack.url, cookies=stack.sign_in("viewer").cookies)
    assert viewer.get("/api/v1/projects/persai/dashboards/persai").status == 200
    assert viewer.get("/api/v1/projects/ops/datasources").status == 403


def test_every_panel_of_the_dashboard_shows_data(stack: Stack) -> None:
    demo = stack.sign_in("demo")
    dashboard = Client(stack.url, cookies=demo.cookies).get("/api/v1/projects/persai/dashboards/persai").json()
    queries = {(panel["spec"]["display"]["name"], q["spec"]["plugin"]["spec"]["query"])
               for panel in dashboard["spec"]["panels"].values() for q in panel["spec"]["queries"]}
    assert len(queries) >= 12
    # The stack has no limit of a day, so nothing is left of one.
    left = {(title, expression) for title, expression in queries if "_budget_" not in expression}
    # The panels show what has changed since the first look at a process: the demo question comes after two of them.
    until("the worker was looked at", lambda: any(float(s["value"][1]) >= 2 for s in query(
        stack, demo, 'count_over_time(persai_worker_first_token_seconds_count[5m])')), 60)
    session = demo.session()
    demo.follow(session, demo.start(session, "Which targets are up, and how busy is this machine's CPU?"))

    def all_there() -> bool:
        for title, expression in sorted(left):
            found = query(stack, demo, expression.replace("$__rate_interval", "1m"))
            if any(sample["value"][1] != "NaN" for sample in found):
                left.discard((title, expression))
        return not left

    try:
        until("all panels have data", all_there, 60)
    finally:
        assert not left, left


def test_alert_rules_are_loaded(stack: Stack) -> None:
    demo = stack.sign_in("demo")
    rules = Client(stack.url, cookies=demo.cookies, prefix="/proxy/globaldatasources/prometheus").get("/api/v1/rules").json()
    loaded = {rule["name"]: rule["health"] for group in rules["data"]["groups"] for rule in group["rules"]}
    assert len(loaded) >= 8 and "err" not in loaded.values(), loaded


def test_the_runbooks_of_its_own_alerts_are_its_documents(stack: Stack) -> None:
    """An empty volume is filled with them."""
    for worker in stack.compose.running("worker"):
        checked = stack.compose.engine.run("exec", worker, "persai-entrypoint", "worker", "--check", check=False)
        assert "Documents of /persai/docs: 1 are indexed" in checked, checked


def test_a_datasource_without_the_right_is_a_clear_tool_error(stack: Stack) -> None:
    viewer = stack.sign_in("viewer")
    session = viewer.session()
    log = viewer.follow(session, viewer.start(session, "Which targets are up?"))
    assert log[-1].type == "turn_complete" and log.tools()
    forbidden = "/proxy/projects/ops/datasources/prometheus"
    log = viewer.follow(session, viewer.start(session, "Which targets are up?", datasource=forbidden))
    assert log[-1].type == "turn_complete"
    contents = [response["content"] for _, response in log.tools()]
    assert contents and all("403" in c or "not allowed" in c or "forbidden" in c.lower() for c in contents), contents
    admin = stack.sign_in("admin")
    session = admin.session()
    log = admin.follow(session, admin.start(session, "Which targets are up?", datasource=forbidden))
    assert re.search(r"1 \(yes\), (\d+) of \1: .*job=persai-worker", log.answer()), log.answer()


def scale(stack: Stack, how: str = "--no-recreate", **services: int) -> None:
    wanted = [x for name, n in services.items() for x in ("--scale", f"{name}={n}")]
    stack.compose.run("up", "-d", "--no-deps", how, *wanted, *services, seconds=180)
    for name, n in services.items():
        until(f"{n} of {name}", lambda name=name, n=n: len(stack.compose.running(name)) == n)


def connected(stack: Stack) -> tuple[int, int]:
    """How many workers the gateway sees that sees the fewest; how many gateways there are."""
    workers = []
    for container in stack.compose.running("gateway"):
        text = stack.compose.engine.run("exec", container, "curl", "-fsS", "http://127.0.0.1:8000/metrics")
        workers += [int(float(line.split()[-1])) for line in text.splitlines() if line.startswith("persai_workers ")]
    return min(workers), len(workers)


def test_scaling_up_and_down_loses_no_turn(stack: Stack) -> None:
    demo = stack.sign_in("demo")
    with Load(demo) as load:
        load.wait_more(6)
        scale(stack, worker=4, gateway=1)
        scale(stack, worker=4, gateway=3)
        until("every gateway sees 4 workers", lambda: connected(stack) == (4, 3), 30)
        load.wait_more(12)
        scale(stack, worker=2, gateway=3)
        load.wait_more(6)
        scale(stack, worker=2, gateway=1)
        until("the gateway sees 2 workers", lambda: connected(stack) == (2, 1), 30)
        load.wait_more(6)
    load.check(30)


def test_an_upgrade_loses_no_turn(stack: Stack) -> None:
    """Every gateway and worker is replaced, as by new images."""
    demo = stack.sign_in("demo")
    scale(stack, worker=2, gateway=2)
    before = {c for name in ("worker", "gateway") for c in stack.compose.running(name)}
    with Load(demo) as load:
        load.wait_more(6)
        scale(stack, "--force-recreate", worker=2, gateway=2)
        load.wait_more(12)
    load.check(18)
    assert before.isdisjoint(c for name in ("worker", "gateway") for c in stack.compose.running(name))


@pytest.mark.parametrize("victim", ["worker", "gateway"])
def test_a_killed_container_loses_no_turn(stack: Stack, victim: str) -> None:
    demo = stack.sign_in("demo")
    scale(stack, worker=2, gateway=2)
    with Load(demo) as load:
        load.wait_more(6)
        killed = stack.compose.running(victim)[0]
        restarts = int(stack.compose.inspect(killed, "{{.RestartCount}}"))
        stack.compose.crash(killed)
        load.wait_more(12)
        until("it is started again", lambda: int(stack.compose.inspect(killed, "{{.RestartCount}}")) > restarts)
        load.wait_more(6)
    load.check(24)


def test_a_restart_of_redis_loses_no_turn(stack: Stack) -> None:
    demo = stack.sign_in("demo")
    with Load(demo) as load:
        load.wait_more(6)
        stack.compose.run("restart", "-t", "10", "redis")
        load.wait_more(12)
    load.check(18)


def test_a_conversation_survives_the_restart_of_everything(stack: Stack) -> None:
    demo = stack.sign_in("demo")
    session = demo.session()
    answer = demo.follow(session, demo.start(session, "Which targets are up?")).answer()
    stack.compose.down(20)
    stack.compose.run("up", "-d")
    until("Perses answers", lambda: answers(stack.url))
    demo = stack.sign_in("demo")
    stack.wait_ready(demo)
    assert demo.messages(session)[-1]["content"] == answer


def answers(url: str) -> bool:
    try:
        return Client(url).get("/api/v1/health").status == 200
    except (OSError, HTTPException):
        return False


def test_tokens_are_only_where_they_belong(stack: Stack) -> None:
    users = [stack.sign_in(user) for user in ("demo", "viewer")]
    for client in users:
        session = client.session()
        client.follow(session, client.start(session, "Which targets are up?"))
    words = [value for client in users for name, value in client.cookies.items() if name in ("jwtSignature", "jwtRefreshToken")]
    assert len(words) == 4 and all(len(word) > 20 for word in words)
    redis = stack.compose.running("redis")[0]
    # Everything that Redis holds is in its append-only file and its answers.
    stored = stack.compose.engine.run("exec", redis, "sh", "-c", "cat /data/appendonlydir/*")
    assert "owner" in stored
    logs = stack.compose.run("logs", "--no-color")
    for word in words:
        assert word not in stored and word not in logs
    for password in ("admin", "demo", "viewer"):
        assert stack.password(password) not in stored


def test_containers_are_hardened(stack: Stack, engine: Engine) -> None:
    for service in SERVICES:
        for container in stack.compose.running(service):
            seen = json.loads(engine.run("inspect", container))[0]
            host = seen["HostConfig"]
            assert seen["Config"]["User"].split(":")[0] not in ("", "0", "root"), service
            assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"], service
            assert any("no-new-privileges" in option for option in host["SecurityOpt"]), service
            assert 0 < host["Memory"] <= 1 << 30 and 0 < host["PidsLimit"] <= 256 and host["Init"], service
            assert host["RestartPolicy"]["Name"] == "unless-stopped", service
            published = [p["HostIp"] for ports in (host["PortBindings"] or {}).values() for p in ports]
            assert published == (["127.0.0.1"] if service == "perses" else []), service


def test_the_image_is_small(engine: Engine, images: None) -> None:
    sizes = {name: int(engine.run("image", "inspect", "-f", "{{.Size}}", name)) for name in (*OURS, BASE)}
    added = [(sizes[name] - sizes[BASE]) / 1e6 for name in OURS]
    note(f"the images add {added[0]:.1f} and {added[1]:.1f} MB to their base, which has {sizes[BASE] / 1e6:.0f}")
    assert added[0] <= 25 and added[1] <= 60  # Debian's own slim one has 75 MB
    for name in OURS:
        labels = json.loads(engine.run("image", "inspect", "-f", "{{json .Config.Labels}}", name))
        assert labels["org.opencontainers.image.title"] == "PersAI" and labels["org.opencontainers.image.description"], name


def test_an_sbom_says_what_the_images_have(engine: Engine, images: None) -> None:
    if not list(STATE.glob("syft/syft-*")):
        pytest.skip("syft is not built: compose/sbom/make does it, in four minutes")
    for name in OURS:
        done = subprocess.run([TOP / "compose/sbom/make", name], env=engine.env, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["spdxVersion"] == "SPDX-2.3"
        has = {(one["name"], one.get("versionInfo")) for one in told["packages"]}
        query = ("run", "--rm", "--network", "none", "--entrypoint", "dpkg-query", name, "-W", "-f", "${Package} ${Version}\n")
        there = {tuple(line.split()) for line in engine.run(*query).splitlines()}
        assert len(there) > 80 and there <= has, there - has


def test_a_provider_key_comes_from_a_file(stack: Stack, tmp_path: Path) -> None:
    """As a secret of the worker's, and then no demo model is asked. What the worker may not read is said."""
    key = tmp_path / "key"
    key.write_text("sk-of-the-test\n")
    script = ("persai-entrypoint worker >/tmp/said 2>&1 &"
              " while kill -0 $! && ! grep -q worker.ready /tmp/said; do sleep 0.1; done; kill $!; wait; cat /tmp/said")

    def worker() -> str:
        return stack.compose.run("run", "--rm", "--no-deps", "-e", "PERSAI_GATEWAYS=tcp://127.0.0.1:8100", "worker",
                                 "timeout", "60", "sh", "-c", script, check=False, OPENAI_API_KEY_FILE=str(key))

    key.chmod(0o644)
    said = worker()
    assert "worker.ready" in said and "demo model" not in said and "sk-of-the-test" not in said, said
    key.chmod(0o600)
    said = worker()
    assert said.count('OPENAI_API_KEY_FILE: cannot read "/run/secrets/openai_api_key"') == 1 and "worker.ready" not in said, said
    key.unlink()
    said = worker()  # Compose v2 says it, v1 makes a folder of that name
    assert str(key) in said and "worker.ready" not in said and "demo model" not in said, said


def program_key(engine: Engine) -> tuple[str, str]:
    """A key for a program that acts as viewer, and the file of its row."""
    said = engine.run("run", "--rm", "persai:0.1.0", "persai-gateway", "--make-api-key", "robot")
    key = re.search(r"^pk-\S+", said, re.M)
    assert key, said
    row = json.loads(said[said.index("{"):said.rindex("}") + 1])
    return key[0], json.dumps([{**row, "user": "viewer", "password_file": "/persai/secrets/viewer", "doors": ["api"]}])


def test_what_settings_name_is_brought_by_files(stack: Stack, tmp_path: Path) -> None:
    """Models, documents, MCP servers, what is masked; the webhook's token and password, keys for programs."""
    folders = {name: tmp_path / name for name in ("docs", "secrets", "api-secrets")}
    for folder in folders.values():
        folder.mkdir()
        folder.chmod(0o755)
    model = {"name": "brought", "provider": "openai", "model": "demo", "base_url": "http://demo-model:8300/v1",
             "key_file": "/persai/secrets/key"}
    key, rows = program_key(stack.compose.engine)
    files = {
        "models.json": json.dumps([model]),
        "mcp.json": json.dumps([{"name": "tickets", "url": "http://demo-model:1/mcp", "key_file": "/persai/secrets/key",
                                 "tools": {"search": "read"}}]),
        "docs/cpu.md": "# Busy\nAsk who began it.\n",
        "secrets/key": "sk-of-the-test",
        "redact": "include email\nticket = T-[0-9]+\n",
        "api-keys.json": rows,
        "api-secrets/viewer": stack.password("viewer"),
        "token": "a-token-of-the-webhook",
        "password": stack.password("viewer"),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o644)
    up = ("up", "-d", "--no-deps", "gateway", "worker")
    try:
        stack.compose.run(*up, PERSAI_MODELS=str(tmp_path / "models.json"), PERSAI_MCP=str(tmp_path / "mcp.json"),
                          PERSAI_DOCS=str(folders["docs"]),
                          PERSAI_SECRETS=str(folders["secrets"]), PERSAI_REDACT=str(tmp_path / "redact"),
                          PERSAI_API_KEYS=str(tmp_path / "api-keys.json"), PERSAI_API_SECRETS=str(folders["api-secrets"]),
                          PERSAI_WEBHOOK_TOKEN_FILE=str(tmp_path / "token"),
                          PERSAI_SERVICE_USER="viewer", PERSAI_SERVICE_PASSWORD_FILE=str(tmp_path / "password"))
        viewer = stack.sign_in("viewer")
        stack.wait_ready(viewer)
        models = viewer.get("/models").body.decode()
        assert '"brought"' in models and "openai/demo" not in models, models
        until("the documents are found", lambda: "docs.indexed files=1" in stack.compose.logs("worker"))
        until("the MCP server is asked", lambda: "mcp.away server=tickets" in stack.compose.logs("worker"))
        checked = stack.compose.engine.run("exec", stack.compose.running("worker")[0], "persai-entrypoint", "worker", "--check",
                                           check=False)
        assert "PERSAI_REDACT: 2 rules" in checked, checked
        by_key = stack.compose.engine.run("exec", stack.compose.running("gateway")[0], "curl", "-fsS", "-H",
                                          f"Authorization: Bearer {key}", "http://lb:8000/models")
        assert '"brought"' in by_key, by_key
        alert = {"status": "firing", "labels": {"alertname": "Busy"}, "annotations": {}, "startsAt": "2026-11-25T10:00:00Z",
                 "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "1a30ba71cca2921f"}
        told = stack.compose.engine.run(
            "exec", stack.compose.running("gateway")[0], "curl", "-fsS", "-H", f"Authorization: Bearer {files['token']}",
            "--json", json.dumps({"version": "4", "status": "firing", "alerts": [alert]}),
            "http://lb:8000/webhook/alertmanager?datasource_path=/proxy/globaldatasources/prometheus")
        begun = json.loads(told)["investigations"][0]
        assert viewer.follow(begun["session_id"], begun["turn_id"]).answer().startswith("Demo model")
        assert files["token"] not in stack.compose.logs("gateway") and files["password"] not in stack.compose.logs("gateway")
    finally:
        stack.compose.run(*up)
    stack.wait_ready(stack.sign_in("demo"))


# ---- what goes wrong is said in one line, fails the health check, and mends itself when it is mended ----


def healthy(compose: Compose, service: str) -> bool:
    return any(compose.inspect(c, "{{.State.Health.Status}}") == "healthy" for c in compose.running(service))


def shell(stack: Stack, script: str) -> None:
    """In a container of the set-up, with its volumes."""
    stack.compose.run("run", "--rm", "--no-deps", "setup", "sh", "-c", script)


def test_a_wrong_redis_password_is_said_and_mended(stack: Stack) -> None:
    redis = stack.compose.running("redis")[0]

    def protect(how: str, now: str, new: str) -> None:
        asked = ("redis-cli", "--no-auth-warning", "-a", admin, "acl", "setuser", "persai", how + now, ">" + new)
        said = stack.compose.engine.run("exec", redis, *asked)
        assert said.endswith("OK"), said

    admin, password = stack.setup_file("redis/password"), stack.setup_file("redis-client/password")
    protect("<", password, "another")
    try:
        stack.compose.run("restart", "-t", "5", "gateway", "worker")
        until("said", lambda: "WRONGPASS" in stack.compose.logs("gateway") and "WRONGPASS" in stack.compose.logs("worker"))
        until("unhealthy", lambda: not healthy(stack.compose, "gateway") and not healthy(stack.compose, "worker"), 90)
        assert password not in stack.compose.logs("gateway") + stack.compose.logs("worker")
    finally:
        protect("<", "another", password)
    stack.wait_ready(stack.sign_in("demo"))  # nobody restarts them
    until("healthy", lambda: healthy(stack.compose, "gateway") and healthy(stack.compose, "worker"), 90)


def test_a_missing_key_file_is_said_and_mended(stack: Stack) -> None:
    shell(stack, "mv /persai/keys/gateway.key /persai/keys/away")
    try:
        stack.compose.run("restart", "-t", "5", "gateway")
        until("said", lambda: "/persai/keys/gateway.key is missing" in stack.compose.logs("gateway"))
        assert not healthy(stack.compose, "gateway")
    finally:
        shell(stack, "mv /persai/keys/away /persai/keys/gateway.key")
    stack.wait_ready(stack.sign_in("demo"))  # nobody restarts it: the engine tries again and again


def test_a_full_disk_is_said_by_the_set_up(stack: Stack, engine: Engine) -> None:
    text = engine.run("run", "--rm", "--tmpfs", "/full:size=4k,mode=1777", "persai-tools:0.1.0",
                      "python3", "/opt/persai/lib/setup.py", "/full", check=False)
    assert "persai: the set-up failed" in text and "No space left" in text, text
    assert len([line for line in text.splitlines() if "persai:" in line]) == 1


@pytest.fixture(scope="module")
def second(stack: Stack, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """Another project on the same machine, with a small disk for Redis."""
    change = tmp_path_factory.mktemp("second") / "small.yml"
    change.write_text(json.dumps({
        "services": {"redis": {"healthcheck": {"interval": "1s"}}},
        "volumes": {"redis-data": {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=8m,uid=999,gid=999"}}}}))
    second = Compose(engine, stack.compose.project + "-b", {"PERSAI_PLUGIN": "ready"}, change)
    yield second
    second.remove()


def test_a_full_disk_is_said_by_redis_and_mended(second: Compose) -> None:
    def redis(script: str) -> str:
        return second.engine.run("exec", second.running("redis")[0], "sh", "-ec", script, check=False)

    second.run("up", "-d", "redis")
    until("healthy", lambda: healthy(second, "redis"), 90)
    redis("cat /dev/zero >/data/ballast || REDISCLI_AUTH=$(cat /persai/redis/password) redis-cli set one more")
    until("said", lambda: "No space left on device" in second.logs("redis"))
    until("unhealthy", lambda: not healthy(second, "redis"))
    redis("rm /data/ballast")
    until("healthy again", lambda: healthy(second, "redis"))


def test_a_taken_port_is_said_and_mended(second: Compose) -> None:
    port = free_port()
    second.env["PERSAI_PORT"] = str(port)
    with socket.create_server(("127.0.0.1", port)):
        text = second.run("up", "-d", "perses", check=False)
        assert "port is already allocated" in text or "address already in use" in text, text
    second.run("up", "-d", "perses")
    until("Perses answers", lambda: answers(f"http://127.0.0.1:{port}"))
