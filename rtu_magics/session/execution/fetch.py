"""The outputs of runs, fetched whole: large entries come by link, and are put where they belong."""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ...document import is_binary
from ...errors import RTUError

if TYPE_CHECKING:
    from ...client import APIClient
    from ...models import Output, OutputCollection

__all__ = ["fetch_bundle", "fetch_collection", "fetch_stream", "with_streams"]

logger = logging.getLogger(__name__)

TIMEOUT = 60.0  # seconds; the content may be some ten MB over a slow line


async def fetch_bundle(api: APIClient, links: dict[str, str]) -> dict[str, Any]:
    """Fetch entries of a mimebundle.

    Parameters
    ----------
    api
        The client of the server that made the links.
    links
        Their addresses by mimetype.

    Returns
    -------
    dict
        The entries as a kernel sends them: base64 for binary types, objects for JSON. One that
        cannot be fetched is left out.
    """
    found: dict[str, Any] = {}
    for mimetype, url in links.items():
        try:
            content = (await api.rest.request("GET", url, timeout=TIMEOUT)).content
            if is_binary(mimetype):
                found[mimetype] = base64.b64encode(content).decode()
            elif mimetype == "application/json" or mimetype.endswith("+json"):
                found[mimetype] = json.loads(content)
            else:
                found[mimetype] = content.decode()
        except (RTUError, ValueError) as exc:
            logger.warning("an entry of an output (%s) cannot be fetched: %s", mimetype, exc)
    return found


async def fetch_collection(api: APIClient, collection_id: UUID) -> OutputCollection:
    """Return a collection as it is now, with its streams' text in it.

    Raises
    ------
    APIError
        It is gone.
    RTUError
        A stream cannot be fetched, or the server cannot be reached.
    """
    return await with_streams(api, await api.get_output_collection(collection_id))


async def with_streams(api: APIClient, collection: OutputCollection) -> OutputCollection:
    """Return a collection with its streams' text in it, fetched where it comes by link.

    Raises
    ------
    RTUError
        One cannot be fetched.
    """
    outputs = [await fetch_stream(api, output) for output in collection.outputs]
    return collection.model_copy(update={"outputs": outputs})


async def fetch_stream(api: APIClient, output: Output) -> Output:
    """Return a stream output with its text in it, fetched if it comes by link.

    Raises
    ------
    RTUError
        It cannot be fetched.
    """
    content = output.content
    if output.type != "stream" or content is None or content.raw is not None or not content.url:
        return output
    text = (await api.rest.request("GET", content.url, timeout=TIMEOUT)).content.decode()
    return output.model_copy(update={"content": content.model_copy(update={"raw": text})})
