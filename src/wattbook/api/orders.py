"""Orders: what somebody wants changed, a JSON object that a request brings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from wattbook.api.answers import Refusal
from wattbook.api.who import principal_of
from wattbook.model.principal import Kind

T = TypeVar("T", bound=msgspec.Struct)

WHO_MAX = 100  # characters of who gives an order: a name, or a name and a machine
UNSAID = ("", "application/x-www-form-urlencoded")  # media types of who named none: curl calls all of -d the second
_SIZE_MAX = 100_000  # bytes: a wrong value in each of a meter's quantities, with names


def media_type(request: Request) -> str:
    """What the request says its body is, without parameters; "" = it does not say."""
    return request.headers.get("content-type", "").partition(";")[0].strip().casefold()


async def order_of(request: Request) -> Mapping[str, Any]:
    """The JSON object that says what somebody wants changed. Raises Refusal."""
    kind = media_type(request)
    if kind not in ("application/json", *UNSAID):
        raise Refusal(415, f'content type "{kind}" is not known here; send application/json')
    body = await request.body()
    if len(body) > _SIZE_MAX:
        raise Refusal(413, f"an order has at most {_SIZE_MAX} bytes")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, f"the body is no JSON object: {error}") from error


async def typed_order_of(request: Request, shape: type[T]) -> T:
    """An order of this shape. Raises Refusal in the words that a file's mistakes have."""
    try:
        return msgspec.convert(await order_of(request), shape)
    except msgspec.ValidationError as error:
        raise Refusal(400, _in_words(str(error))) from error


async def signed_order_of(request: Request) -> Mapping[str, Any]:
    """An order without what it says of who gives it; only a command of this machine may say that. Raises Refusal."""
    order = await order_of(request)
    who = order.get("who", "")
    if not isinstance(who, str) or len(who) > WHO_MAX:
        raise Refusal(400, f'"who" is a text of at most {WHO_MAX} characters')
    if principal_of(request).kind in (Kind.LOCAL, Kind.OPEN):
        return order
    return {key: value for key, value in order.items() if key != "who"}


def _in_words(said: str) -> str:
    """What msgspec found: "Object missing required field `model`", "Expected `str`, got `int` - at `$.port`"."""
    if named := re.fullmatch(r"Object missing required field `(\w+)`", said):
        return f'"{named[1]}" is missing'
    if named := re.fullmatch(r"Object contains unknown field `(.+)`", said):
        return f'unknown key "{named[1]}"'
    words, _, place = said.rstrip("`").partition(" - at `$.")
    return f"{place}: {words}" if place else words
