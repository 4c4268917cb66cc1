"""How a device signs on at Azure IoT Hub: user, token and topic.

Source: "Communicate with an IoT hub using the MQTT protocol" and "Control access to IoT Hub by using shared access
signatures". The hub speaks 3.1.1 only, keeps no retained messages, and closes the connection over any other topic.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from urllib.parse import quote

TOKEN_S = 3600.0  # how long a token holds
RENEW_S = 300.0  # this long before its end we sign on with a new one
_API = "2021-04-12"


def user_name(host: str, device: str) -> str:
    """The user that a device signs on as."""
    return f"{host}/{device}/?api-version={_API}"


def events_topic(device: str) -> str:
    """Where a device sends; the rest says that a message is JSON, so that the hub can route by what is in it."""
    return f"devices/{device}/messages/events/$.ct=application%2Fjson&$.ce=utf-8"


def check_key(key: str) -> None:
    """Raise ValueError when this is no shared access key; the key is not in the message."""
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(
            '"azure_key" is no shared access key: it is the primary key of the device, in base64'
        ) from error


def token(host: str, device: str, key: str, expires_s: int) -> str:
    """A shared access signature for one device until an instant, in seconds since 1970."""
    resource = quote(f"{host}/devices/{device}", safe="")
    signed = hmac.digest(base64.b64decode(key), f"{resource}\n{expires_s}".encode(), hashlib.sha256)
    return f"SharedAccessSignature sr={resource}&sig={quote(base64.b64encode(signed), safe='')}&se={expires_s}"
