"""The Kubernetes manifests, as far as that goes without a cluster: the API's own schemas, and that what names something
names what is there."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

TOP = Path(__file__).resolve().parents[2]
FOLDER = TOP / "compose" / "kubernetes"
OBJECTS = [o for f in sorted(FOLDER.glob("*.yaml")) for o in yaml.safe_load_all(f.read_text()) if o]
SETTING = re.compile(r'^(?:SETTING|ADVANCED)(?:_IN)?\([\w.]+, "(\w+)"', re.M)
SETTINGS = {name for part in ("gateway", "worker") for name in SETTING.findall((TOP / part / "settings.def").read_text())}
SECRETS_FROM_OUTSIDE = {"persai-keys", "persai-redis", "persai-models", "persai-webhook", "persai-api-keys"}
CONFIG_MAPS_FROM_OUTSIDE = {"persai-files", "persai-docs"}


def of(kind: str) -> dict[str, dict]:
    return {o["metadata"]["name"]: o for o in OBJECTS if o["kind"] == kind}


@pytest.mark.parametrize("o", OBJECTS, ids=lambda o: f"{o['kind']}-{o['metadata']['name']}")
@pytest.mark.parametrize("version", ["1.28", "1.33"])
def test_schema(o: dict, version: str) -> None:
    kubernetes_validate.validate(o, version, strict=True)


def containers() -> list[tuple[str, dict, dict]]:
    return [(name, d["spec"]["template"]["spec"], c) for name, d in of("Deployment").items()
            for c in d["spec"]["template"]["spec"]["containers"]]


def test_selectors_find_pods() -> None:
    pods = [d["spec"]["template"]["metadata"]["labels"] for d in of("Deployment").values()]
    wanted = [s["spec"]["selector"] for s in of("Service").values()]
    wanted += [o["spec"]["selector"]["matchLabels"] for kind in ("PodDisruptionBudget", "Deployment") for o in of(kind).values()]
    wanted += [o["spec"]["podSelector"]["matchLabels"] for o in of("NetworkPolicy").values()]
    assert len(wanted) >= 8
    for selector in wanted:
        assert any(selector.items() <= labels.items() for labels in pods), selector


@pytest.mark.parametrize("name", ["persai-gateway", "persai-worker"])
def test_pods_reach_only_what_is_named(name: str) -> None:
    policy = of("NetworkPolicy")[name]["spec"]
    assert policy["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": name}
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert all(rule["ports"] and rule[way] for way, rules in (("to", policy["egress"]), ("from", policy["ingress"]))
               for rule in rules)
    for block in (peer["ipBlock"] for rule in policy["egress"] for peer in rule["to"] if "ipBlock" in peer):
        assert name == "persai-worker" and "169.254.0.0/16" in block["except"], "a cloud's own addresses give out credentials"


def test_ports_and_names_fit() -> None:
    ports = {p["name"]: p["containerPort"] for _, _, c in containers() for p in c["ports"]}
    for service in of("Service").values():
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
    gateways = of("ConfigMap")["persai"]["data"]["PERSAI_GATEWAYS"]
    name, port = re.fullmatch(r"tcp://([\w-]+):(\d+)", gateways).groups()  # type: ignore[union-attr]
    service = of("Service")[name]["spec"]
    assert service["clusterIP"] == "None" and service["publishNotReadyAddresses"] and service["ports"][0]["port"] == int(port)


def test_settings_exist() -> None:
    named = set(of("ConfigMap")["persai"]["data"]) | {e["name"] for _, _, c in containers() for e in c["env"]}
    offered = set(re.findall(r"^  # ([A-Z_]+): ", FOLDER.joinpath("persai.yaml").read_text(), re.M))
    assert offered and named | offered <= SETTINGS, (named | offered) - SETTINGS


def test_secrets_and_config_maps_are_there_or_said_to_be_brought() -> None:
    for _, spec, c in containers():
        refs = [e["valueFrom"]["secretKeyRef"]["name"] for e in c["env"] if "valueFrom" in e]
        refs += [e["secretRef"]["name"] for e in c["envFrom"] if "secretRef" in e]
        refs += [v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v]
        assert set(refs) <= SECRETS_FROM_OUTSIDE
        assert all(e["configMapRef"]["name"] in of("ConfigMap") for e in c["envFrom"] if "configMapRef" in e)
        assert all(v["configMap"]["name"] in CONFIG_MAPS_FROM_OUTSIDE and v["configMap"]["optional"]
                   for v in spec["volumes"] if "configMap" in v)
        assert {m["name"] for m in c["volumeMounts"]} == {v["name"] for v in spec["volumes"]}
    said = FOLDER.joinpath("persai.yaml").read_text().split("kind: Service")[0]
    assert all(name in said for name in SECRETS_FROM_OUTSIDE | CONFIG_MAPS_FROM_OUTSIDE)


def test_pods_are_hardened_and_may_drain() -> None:
    drain = {c["name"]: int(next(e["value"] for e in c["env"] if e["name"] == "PERSAI_DRAIN").rstrip("s"))
             for _, _, c in containers()}
    for _, spec, c in containers():
        assert spec["securityContext"]["runAsNonRoot"] and not spec["automountServiceAccountToken"]
        context = c["securityContext"]
        assert context["readOnlyRootFilesystem"] and context["capabilities"] == {"drop": ["ALL"]}
        assert not context["allowPrivilegeEscalation"] and c["resources"]["limits"]["memory"]
        pause = int(c.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["", "0"])[1])
        assert spec["terminationGracePeriodSeconds"] > drain[c["name"]] + pause
        assert c["livenessProbe"]["httpGet"]["path"] == "/healthz" and c["readinessProbe"]
