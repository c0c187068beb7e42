"""Whether the server's port can be had, asked before minutes of loading are spent on it."""

from __future__ import annotations

import errno
import os
import socket

from paddle_portrait.errors import UserError

_LAST_PORT = 65535


def check_address(host: str, port: int) -> None:
    """Take the port for a moment and give it back.

    Raises:
        UserError: another program has it, this user may not have it, or the host is not this machine.
    """
    if port > _LAST_PORT:
        raise UserError(f"there is no port {port}: choose one up to {_LAST_PORT} with --port; 0 takes any free one.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # as the server does: else the last server's closing connections would count
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserError(_told(error, host, port)) from None


def _told(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; stop the program that has it, or choose another with --port."
    if error.errno == errno.EACCES:
        return f"port {port} on {host} is not allowed to this user; choose one from 1024 up with --port."
    return (
        f"cannot listen on {host}, port {port}: {error.strerror or error}. Name an address of this machine with "
        "--host, such as 127.0.0.1, or 0.0.0.0 for all."
    )
