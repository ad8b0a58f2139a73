"""Bytes from one socket to another."""

import socket


def carry(a: socket.socket, b: socket.socket) -> None:
    """Until a ends or either breaks; then both are shut."""
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    finally:
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
