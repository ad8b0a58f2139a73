"""What of the environment a program of the quick start is told: its settings, less those that are the stack's own."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping

TOP = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r'^(?:SETTING|ADVANCED)(?:_IN)?\([\w.]+, "(\w+)"', re.M)
# Where the stack's parts are, and who may ask whom.
OWN = {
    "PERSAI_LISTEN", "PERSAI_BROKER", "PERSAI_BROKER_OPEN", "PERSAI_GATEWAYS", "PERSAI_METRICS_LISTEN", "PERSAI_KEYS",
    "PERSAI_REDIS", "PERSES_API_URL", "PERSAI_AUTH", "PERSAI_AUTH_OFF_ANYWHERE", "PERSAI_DATASOURCE_SECRET",
}  # fmt: skip
# Of libcurl and OpenSSL.
LIBRARIES = (
    "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip


def told(program: str, environment: Mapping[str, str]) -> dict[str, str]:
    """program: gateway or worker."""
    rows = ROW.findall((TOP / program / "settings.def").read_text())
    names = [n for row in rows if row not in OWN for n in (row, f"{row}_FILE")]
    return {n: environment[n] for n in (*names, *LIBRARIES) if environment.get(n)}
