"""Fetching a picture from an address that a stranger names, without becoming his hand in our network.

Each address is resolved once, every answer is checked, and the connection goes to the very number that was checked, so
that a name that means something else a moment later gains nothing. Redirects go through the same checks.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable

import httpx

from paddle_portrait.serving.errors import Refusal
from paddle_portrait.serving.settings import Settings

_MOST_HOPS = 5
_PORTS = {"http": 80, "https": 443}
# Prefixes in whose addresses another, IPv4 one is hidden: translation, 6to4, Teredo.
_HIDING = [ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]

Resolve = Callable[[str, int], Awaitable[list[str]]]
Allowed = Callable[[str], bool]


async def resolve(host: str, port: int) -> list[str]:
    """Return the numeric addresses of a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Tell whether a numeric address belongs to the internet at large, and is no disguise of one that does not."""
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        if number.ipv4_mapped is not None:
            return is_public(str(number.ipv4_mapped))
        if any(number in network for network in _HIDING):
            return False
    return number.is_global and not number.is_multicast


async def fetch_picture(url: str, settings: Settings) -> bytes:
    """Return what is at ``url``.

    Raises:
        Refusal: 403 fetching is off; 400 a scheme, host or address that is not allowed, a redirect too many, or
            nothing that can be fetched; 413 too large.
    """
    if settings.fetch == "no":
        raise Refusal(403, "fetching_off", "this server fetches nothing; send the picture itself by POST.")
    allowed: Allowed = is_public if settings.fetch == "public" else lambda _: True
    try:
        return await asyncio.wait_for(fetch(url, settings.max_body, allowed, resolve), settings.fetch_timeout_s)
    except (asyncio.TimeoutError, TimeoutError, httpx.TimeoutException):
        raise Refusal(400, "fetch_failed", "the picture did not arrive in time.") from None
    except httpx.HTTPError as error:
        raise Refusal(400, "fetch_failed", f"the picture cannot be fetched ({type(error).__name__}).") from None


async def fetch(url: str, most: int, allowed: Allowed, resolve: Resolve) -> bytes:
    """Return what is at ``url``, after at most five redirects.

    Args:
        url: http or https.
        most: bytes.
        allowed: whether a numeric address may be connected to.
        resolve: turns host and port into numeric addresses.

    Raises:
        Refusal: see :func:`fetch_picture`.
    """
    address = _parse(url)
    # No proxy of the environment: it would resolve the name again.
    async with httpx.AsyncClient(trust_env=False, timeout=5.0, limits=httpx.Limits(max_connections=1)) as client:
        for _ in range(_MOST_HOPS + 1):
            request = await _pinned(client, address, allowed, resolve)
            response = await client.send(request, stream=True)
            try:
                if not response.has_redirect_location:
                    return await _read(response, most)
                target = response.headers["location"]
            finally:
                await response.aclose()
            address = _parse(target, address)
    raise Refusal(400, "bad_url", f"more than {_MOST_HOPS} redirects.")


def _parse(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        address = httpx.URL(url) if base is None else base.join(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise Refusal(400, "bad_url", "the address cannot be read.") from None
    is_port = address.port is None or 0 < address.port < 2**16
    if address.scheme not in _PORTS or not address.host or address.userinfo or not is_port:
        raise Refusal(400, "bad_url", "the address must be http://HOST/... or https://HOST/..., without a user name.")
    return address


async def _pinned(client: httpx.AsyncClient, address: httpx.URL, allowed: Allowed, resolve: Resolve) -> httpx.Request:
    """Return a request to the number that was checked, with the name in the header and in the certificate check."""
    port = address.port or _PORTS[address.scheme]
    try:
        numbers = await resolve(address.host, port)
    except (OSError, UnicodeError):
        numbers = []
    if not numbers:
        raise Refusal(400, "bad_url", "the address's host is not known.")
    if not all(allowed(number) for number in numbers):
        raise Refusal(400, "private_address", "the address leads into a private network, where nothing is fetched.")
    return client.build_request(
        "GET",
        address.copy_with(host=numbers[0]),
        headers={"Host": address.netloc.decode("ascii"), "Accept": "image/*", "Accept-Encoding": "identity"},
        extensions={"sni_hostname": address.raw_host.decode("ascii")},
    )


async def _read(response: httpx.Response, most: int) -> bytes:
    if response.status_code != 200:
        raise Refusal(400, "fetch_failed", f"the picture's server answered {response.status_code}.")
    length = response.headers.get("content-length", "")
    chunks, size = [], int(length) if length.isascii() and length.isdigit() else 0
    if size <= most:
        size = 0
        async for chunk in response.aiter_raw():
            chunks.append(chunk)
            size += len(chunk)
            if size > most:
                break
    if size > most:
        raise Refusal(413, "body_too_large", f"the picture is larger than {most / 2**20:g} MiB.")
    return b"".join(chunks)
