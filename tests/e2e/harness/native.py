"""A native histogram as a scrape target sends it: the protobuf of io.prometheus.client (prometheus/client_model,
metrics.proto), length-delimited, written by hand since it is thirty lines."""

import struct

CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
HISTOGRAM = 4  # MetricType


def varint(n: int) -> bytes:
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


def zigzag(n: int) -> int:
    return n << 1 if n >= 0 else (-n << 1) - 1


def number(field: int, n: int) -> bytes:
    return varint(field << 3) + varint(n)


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", value)


def block(field: int, content: bytes | str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def histogram(name: str, help_text: str, labels: dict[str, str], each: int) -> bytes:
    """Of schema 0 (each bucket twice the one before): `each` observations in (1, 2] and as many in (2, 4]."""
    buckets = block(12, number(1, zigzag(1)) + number(2, 2))  # one span: two buckets from index 1 on
    deltas = number(13, zigzag(each)) + number(13, zigzag(0))
    value = (number(1, 2 * each) + double(2, 4.5 * each) + number(5, zigzag(0)) + double(6, 1e-128) + number(7, 0)
             + buckets + deltas)
    pairs = b"".join(block(1, block(1, key) + block(2, text)) for key, text in labels.items())
    family = block(1, name) + block(2, help_text) + number(3, HISTOGRAM) + block(4, pairs + block(7, value))
    return varint(len(family)) + family
