"""What a core of a process has, taken by root."""

import subprocess
from pathlib import Path


def core_of(pid: int, folder: Path) -> bytes:
    subprocess.run(["gcore", "-o", folder / "core", str(pid)], check=True, capture_output=True, timeout=120)
    file = folder / f"core.{pid}"
    data = file.read_bytes()
    file.unlink()
    assert data[:4] == b"\x7fELF" and len(data) > 1 << 20
    return data


def has_piece(data: bytes, word: bytes) -> bool:
    """Of 31 bytes or more, whatever it begins with: what copies leave in registers and on stacks is seldom whole."""
    return any(word[at:at + 16] in data for at in range(0, len(word) - 15, 16))
