"""haproxy as compose has it before the gateways: its own file, with addresses in place of Docker's names."""

import re
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).resolve().parents[3] / "compose/docker/haproxy.cfg"


def settings(port: int, gateways: Mapping[str, int]) -> str:
    """port: where it listens; gateways: their names and ports."""
    text = re.sub(r"^resolvers .*?(?=^frontend)", "", FILE.read_text(), flags=re.M | re.S)
    text = re.sub(r"^frontend health.*", "", text, flags=re.M | re.S)
    text = text.replace("bind :8000", f"bind 127.0.0.1:{port}")
    text = re.sub(r" resolvers docker.*|^ *server-template.*", "", text, flags=re.M)
    return text + "".join(f"    server {name} 127.0.0.1:{at}\n" for name, at in gateways.items())
