"""What a Perses of the stacks has in it: users, roles, secrets, datasources, a project with PersAI's own dashboard; and
its configuration. Native sign-in, nobody signs up, guests may do nothing."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Callable

PROVISIONING = pathlib.Path(__file__).resolve().parent.parent / "provisioning"
NO_TOKEN = "no-user-token"
PERSAI_WORD = "persai-datasource"
READ = ["Dashboard", "Datasource", "Folder", "GlobalDatasource", "GlobalVariable", "Project", "Variable"]
READ_PROJECT = ["Dashboard", "Datasource", "Folder", "Project", "Variable"]


def closed_proxy(url: str, secret_name: str) -> dict:
    """A datasource's proxy that keeps the person's sign-in to itself: Perses would pass the cookies (with the
    refresh token) and a Bearer on to the upstream. Blank the one, replace the other."""
    return {
        "kind": "HTTPProxy",
        "spec": {"url": url, "headers": {"Cookie": ""}, "secret": secret_name},
    }


def gateway_proxy(url: str) -> dict:
    """What the plugin asks of the gateway and nothing else: nobody reads its /metrics through Perses."""
    endpoints = json.loads((PROVISIONING / "persai-endpoints.json").read_text())
    return {"kind": "HTTPProxy", "spec": {"url": url, "secret": PERSAI_WORD, "allowedEndpoints": endpoints}}


def entity(kind: str, name: str, spec: dict, project: str = "") -> dict:
    metadata = {"name": name} | ({"project": project} if project else {})
    return {"kind": kind, "metadata": metadata, "spec": spec}


def users(kind: str, *names: str) -> list[dict]:
    return [{"kind": kind, "name": name} for name in names]


def datasource(display: str, kind: str, proxy: dict, default: bool = False) -> dict:
    return {"default": default, "display": {"name": display}, "plugin": {"kind": kind, "spec": {"proxy": proxy}}}


def prometheus(url: str, scrape: str, default: bool = False) -> dict:
    """scrape: how often it scrapes. Unsaid it is a minute to Perses: panels have a point a minute, none in the first."""
    made = datasource("Prometheus", "PrometheusDatasource", closed_proxy(url, NO_TOKEN), default)
    made["plugin"]["spec"]["scrapeInterval"] = scrape
    return made


def entities(
    prometheus_url: str, scrape: str, gateway_url: str, gateway_word: str, passwords: dict[str, str]
) -> list[dict]:
    """gateway_word: what PersAI's datasource says to the gateway (PERSAI_DATASOURCE_SECRET), so that nobody reaches it
    beside Perses.
    passwords: of admin, who may do everything; of demo, who may read everything; where there is one, of viewer, who
    may use the global datasources and read the project persai, and nothing of the project ops."""
    made = [
        *(entity("User", name, {"nativeProvider": {"password": password}}) for name, password in passwords.items()),
        entity("GlobalRole", "administrator", {"permissions": [{"actions": ["*"], "scopes": ["*"]}]}),
        entity("GlobalRole", "reader", {"permissions": [{"actions": ["read"], "scopes": READ}]}),
        entity(
            "GlobalRoleBinding", "administrators", {"role": "administrator", "subjects": users("User", "admin")}
        ),
        entity("GlobalRoleBinding", "readers", {"role": "reader", "subjects": users("User", "demo")}),
        entity("GlobalSecret", NO_TOKEN, {"authorization": {"type": "Bearer", "credentials": "none"}}),
        entity("GlobalDatasource", "prometheus", prometheus(prometheus_url, scrape, default=True)),
        entity("GlobalSecret", PERSAI_WORD, {"authorization": {"type": "Bearer", "credentials": gateway_word}}),
        # The one upstream that is meant to get the sign-in, by cookies: PersAI asks Perses with it, as the person.
        entity(
            "GlobalDatasource",
            "persai",
            datasource("PersAI", "PersAIDatasource", gateway_proxy(gateway_url)),
        ),
        entity("Project", "persai", {"display": {"name": "PersAI"}}),
        json.loads((PROVISIONING / "persai-dashboard.json").read_text()),
    ]
    if "viewer" in passwords:
        made += [
            entity("GlobalRole", "guest", {"permissions": [{"actions": ["read"], "scopes": ["GlobalDatasource"]}]}),
            entity("GlobalRoleBinding", "guests", {"role": "guest", "subjects": users("User", "viewer")}),
            entity("Role", "reader", {"permissions": [{"actions": ["read"], "scopes": READ_PROJECT}]}, "persai"),
            entity("RoleBinding", "readers", {"role": "reader", "subjects": users("User", "viewer")}, "persai"),
            # A project that viewer has no right to, with the same Prometheus behind a datasource of its own.
            entity("Project", "ops", {"display": {"name": "Operations"}}),
            entity("Secret", NO_TOKEN, {"authorization": {"type": "Bearer", "credentials": "none"}}, "ops"),
            entity("Datasource", "prometheus", prometheus(prometheus_url, scrape), "ops"),
        ]
    return made


def write_entities(folder: pathlib.Path, made: list[dict], write: Callable[[pathlib.Path, str], None]) -> None:
    """One file each, in order: what is named later may stand on what is named before."""
    shutil.rmtree(folder, ignore_errors=True)
    for i, e in enumerate(made):
        write(folder / f"{i:02}-{e['kind']}-{e['metadata']['name']}.yaml", json.dumps(e, indent=1))


def config(
    encryption_key: str, *, data: str, provisioning: str, plugins: str, archives: list[str], public_url: str = ""
) -> dict:
    """public_url: where browsers find it; behind TLS its cookies never go in clear. Without TLS they must, or nobody could
    sign in."""
    return {
        "security": {
            "encryption_key": encryption_key,
            "enable_auth": True,
            "cookie": {"same_site": "lax", "secure": public_url.lower().startswith("https://")},
            "authentication": {
                "access_token_ttl": "15m",
                "refresh_token_ttl": "24h",
                "disable_sign_up": True,
                "providers": {"enable_native": True},
            },
            "authorization": {"provider": {"native": {"enable": True}}},
        },
        # Case-sensitive: else Perses looks for its lists below the folder's path in lower case, and a folder
        # with a capital in it seems empty: everybody is refused.
        "database": {"file": {"folder": data, "extension": "yaml", "case_sensitive": True}},
        # Applied at start; a short interval would undo what people edit while it runs.
        "provisioning": {"interval": "8760h", "folders": [provisioning]},
        "plugin": {"path": plugins, "archive_paths": archives},
        # time_range: its defaults; Perses's web UI of 0.52 stops without one.
        "frontend": {"explorer": {"enable": True}, "time_range": {"disable_custom": False}},
    }
