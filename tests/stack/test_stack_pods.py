"""The containers of the Kubernetes manifests in the Docker engine, beside the stack: with the manifests' settings, limits
and names, secrets as a kubelet lays them out, their probes, and their end."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from conftest import TOP, Stack
from docker import Engine
from still import until

OBJECTS = [o for f in sorted((TOP / "compose" / "kubernetes").glob("*.yaml")) for o in yaml.safe_load_all(f.read_text())]
PODS = {o["metadata"]["name"]: o["spec"]["template"]["spec"] for o in OBJECTS if o["kind"] == "Deployment"}
CONFIG = next(o["data"] for o in OBJECTS if o["kind"] == "ConfigMap")
# What the ConfigMap's comments say to set for documents.
OFFERED = dict(re.findall(r"^  # (PERSAI_DOCS): (\S+)", (TOP / "compose" / "kubernetes" / "persai.yaml").read_text(), re.M))
HEADLESS = next(o for o in OBJECTS if o["kind"] == "Service" and o["spec"].get("clusterIP") == "None")


def lay_out(stack: Stack, volume: str, files: dict[str, str]) -> None:
    """A secret or ConfigMap as a kubelet mounts it: links to a folder of the data, for the group alone. files: where each
    comes from; /from and /workers have the keys."""
    lines = ["cd /to", "mkdir ..1", "ln -s ..1 ..data"]
    for path, source in files.items():
        lines.append(f"install -D -m 440 -g 65532 {source} ..1/{path}")
        lines.append("ln -sfn ..data/{0} {0}".format(path.split("/")[0]))
    stack.compose.engine.run("run", "--rm", "-u", "0", "-v", f"{stack.compose.project}_keys:/from:ro",
                             "-v", f"{stack.compose.project}_worker-keys:/workers:ro", "-v", f"{volume}:/to",
                             "persai-tools:0.1.0", "sh", "-ec", "\n".join(lines))


def source(key: str) -> str:
    if key == "worker-allowed.key":
        return "/from/workers/worker.key"
    return ("/workers/" if key.startswith("worker.") else "/from/") + key


@contextmanager
def pod(stack: Stack, name: str, alias: str) -> Iterator[str]:
    engine, spec = stack.compose.engine, PODS[name]
    container, full = spec["containers"][0], f"{stack.compose.project}-{name}"
    secrets = {"persai-redis": stack.setup_file("redis-client/url")}
    env = {**CONFIG, **{e["name"]: e.get("value") or secrets[e["valueFrom"]["secretKeyRef"]["name"]] for e in container["env"]}}
    perses = stack.compose.inspect(stack.compose.running("perses")[0],
                                   f'{{{{(index .NetworkSettings.Networks "{stack.compose.project}_back").IPAddress}}}}')
    user, rights = spec["securityContext"], container["securityContext"]
    assert rights["readOnlyRootFilesystem"] and rights["capabilities"]["drop"] == ["ALL"]
    of_secrets = {v["name"]: v["secret"].get("items", []) for v in spec["volumes"] if "secret" in v}
    files = {name: {i["path"]: source(i["key"]) for i in items} for name, items in of_secrets.items()}
    files |= {v["name"]: {"runbook.txt": "/etc/debian_version"} for v in spec["volumes"] if v["name"] == "docs"}
    mounts = {f"{full}-{m['name']}": m["mountPath"] for m in container["volumeMounts"] if m["name"] in files}
    try:
        for what, laid in files.items():
            lay_out(stack, f"{full}-{what}", laid)
        yield engine.run(
            "run", "-d", "--name", full, "--network", f"{stack.compose.project}_back", "--network-alias", alias,
            "--add-host", f"perses.perses.svc:{perses}", "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--user", f"{user['runAsUser']}:{user['runAsGroup']}",
            "--memory", container["resources"]["limits"]["memory"].removesuffix("i"),
            *(x for key, value in {**env, **OFFERED}.items() for x in ("-e", f"{key}={value}")),
            *(x for volume, path in mounts.items() for x in ("-v", f"{volume}:{path}:ro")),
            container["image"], *container["args"])
    finally:
        engine.run("rm", "-f", full, check=False)
        engine.run("volume", "rm", *mounts, check=False)


def answers(engine: Engine, name: str, container: str, probe: str) -> bool:
    spec = PODS[name]["containers"][0]
    get = spec[probe]["httpGet"]
    port = next(p["containerPort"] for p in spec["ports"] if p["name"] == get["port"])
    return engine.run("exec", container, "curl", "-fsS", "-m", "3", "-o", "/dev/null", f"http://127.0.0.1:{port}{get['path']}",
                      check=False) == ""


def test_the_pods_find_each_other_are_ready_and_stop(stack: Stack, engine: Engine) -> None:
    with pod(stack, "persai-gateway", HEADLESS["metadata"]["name"]) as gateway, pod(stack, "persai-worker", "pod") as worker:
        running = {"persai-gateway": gateway, "persai-worker": worker}
        try:
            for name, container in running.items():
                for probe in ("livenessProbe", "readinessProbe"):  # a gateway is ready when a worker is connected
                    until(f"{name}: {probe}", lambda n=name, c=container, p=probe: answers(engine, n, c, p))
            until("the documents are found", lambda: "docs.indexed files=1" in engine.run("logs", worker))
        except AssertionError:
            print(*(engine.run("logs", c)[-2000:] for c in running.values()), sep="\n")
            raise
        pause = PODS["persai-gateway"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        engine.run("exec", gateway, *pause[:-1], "0")
        for name, container in running.items():
            engine.run("stop", "-t", str(PODS[name]["terminationGracePeriodSeconds"]), container)
            assert stack.compose.inspect(container, "{{.State.ExitCode}}") == "0", name
