"""Small request bodies, received within limits. Files are received by `uploads`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import Request

from docproc.web.store import Refused

BODY_SECONDS = 30.0  # in which a body has to arrive [guess]


async def body_of(request: Request, most: int) -> bytes:
    """The body, of at most `most` bytes. Raises Refused."""
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                data += chunk
                if len(data) > most:
                    raise Refused(413, f"the request is too large: at most {most} bytes are taken")
    except TimeoutError:
        raise Refused(408, "the request took too long") from None
    return bytes(data)


async def json_of(request: Request, most: int) -> dict[str, Any]:
    """The JSON object in the body, of at most `most` bytes. Raises Refused."""
    try:
        found = json.loads(await body_of(request, most))
    except (ValueError, RecursionError):
        raise Refused(400, "the request is not JSON") from None
    if not isinstance(found, dict):
        raise Refused(400, "the request is not a JSON object")
    return found
