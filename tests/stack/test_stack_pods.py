"""The containers of the Kubernetes manifests in the Docker engine, beside the stack: with the manifests' settings, limits
and names, secrets as a kubelet lays them out, their probes, and their end."""

from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from conftest import TOP, Stack
from docker import Engine
from test_stack import until

OBJECTS = [o for f in sorted((TOP / "compose" / "kubernetes").glob("*.yaml")) for o in yaml.safe_load_all(f.read_text())]
PODS = {o["metadata"]["name"]: o["spec"]["template"]["spec"] for o in OBJECTS if o["kind"] == "Deployment"}
CONFIG = next(o["data"] for o in OBJECTS if o["kind"] == "ConfigMap")
HEADLESS = next(o for o in OBJECTS if o["kind"] == "Service" and o["spec"].get("clusterIP") == "None")


def lay_out(stack: Stack, volume: str, items: list[dict]) -> None:
    """The secret persai-keys as a kubelet mounts it: links to a folder of the data, for the group alone."""
    lines = ["cd /to", "mkdir ..1", "ln -s ..1 ..data"]
    for item in items:
        source = {"worker-allowed.key": "worker.key"}.get(item["key"], item["key"])
        lines.append(f"install -D -m 440 -g 65532 /from/{source} ..1/{item['path']}")
        lines.append("ln -sfn ..data/{0} {0}".format(item["path"].split("/")[0]))
    stack.compose.engine.run("run", "--rm", "-u", "0", "-v", f"{stack.compose.project}_keys:/from:ro", "-v", f"{volume}:/to",
                             "persai-tools:0.1.0", "sh", "-ec", "\n".join(lines))


@contextmanager
def pod(stack: Stack, name: str, alias: str) -> Iterator[str]:
    engine, spec = stack.compose.engine, PODS[name]
    container, volume = spec["containers"][0], f"{stack.compose.project}-{name}"
    secrets = {"persai-redis": stack.setup_file("redis/url")}
    env = {**CONFIG, **{e["name"]: e.get("value") or secrets[e["valueFrom"]["secretKeyRef"]["name"]] for e in container["env"]}}
    perses = stack.compose.inspect(stack.compose.running("perses")[0],
                                   f'{{{{(index .NetworkSettings.Networks "{stack.compose.project}_back").IPAddress}}}}')
    lay_out(stack, volume, spec["volumes"][0]["secret"]["items"])
    user, rights = spec["securityContext"], container["securityContext"]
    assert rights["readOnlyRootFilesystem"] and rights["capabilities"]["drop"] == ["ALL"]
    try:
        yield engine.run(
            "run", "-d", "--name", volume, "--network", f"{stack.compose.project}_back", "--network-alias", alias,
            "--add-host", f"perses.perses.svc:{perses}", "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--user", f"{user['runAsUser']}:{user['runAsGroup']}",
            "--memory", container["resources"]["limits"]["memory"].removesuffix("i"),
            *(x for key, value in env.items() for x in ("-e", f"{key}={value}")),
            "-v", f"{volume}:{container['volumeMounts'][0]['mountPath']}:ro", container["image"], *container["args"])
    finally:
        engine.run("rm", "-f", volume, check=False)
        engine.run("volume", "rm", volume, check=False)


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
        except AssertionError:
            print(*(engine.run("logs", c)[-2000:] for c in running.values()), sep="\n")
            raise
        pause = PODS["persai-gateway"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        engine.run("exec", gateway, *pause[:-1], "0")
        for name, container in running.items():
            engine.run("stop", "-t", str(PODS[name]["terminationGracePeriodSeconds"]), container)
            assert stack.compose.inspect(container, "{{.State.ExitCode}}") == "0", name
