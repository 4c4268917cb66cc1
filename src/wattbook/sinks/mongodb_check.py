"""What can be known of a MongoDB sink before a server is asked: whether its address and its documents are right."""

from __future__ import annotations

from array import array
from typing import Any

from bson import BSON
from bson.errors import BSONError
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from wattbook.model.batch import GOOD_CODE, Columns
from wattbook.sinks.documents import Documents

_URL_WRONG = (
    'url: is no address of MongoDB; one is "mongodb://127.0.0.1:27017". In a user or password of a URL "/", ":", "@" '
    'and "%" are written %2F, %3A, %40 and %25, or they stand in "username" and "password"'
)


def check_url(url: str) -> None:
    """Raises ValueError. What is wrong is not said by quoting: it may be a part of the password."""
    if not url.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError(_URL_WRONG)
    if url.startswith("mongodb://"):  # the other kind is looked up in the network first
        try:
            parse_uri(url)
        except (PyMongoError, ValueError):
            raise ValueError(_URL_WRONG) from None


def check_fields(documents: Documents) -> None:
    """Fill the template with one reading that has everything it names, to see whether it can be stored.

    Raises ValueError.
    """
    named = documents.document.quantities or ("voltage",)
    columns = Columns(
        "site", "meter", array("q", [0]), array("q", [0]), {name: array("d", [1]) for name in named},
        array("B", [GOOD_CODE]),
    )  # fmt: skip
    document: Any = documents.document.rows(columns, "voltage" if documents.document.single else "")[0]
    try:
        BSON.encode(document)
    except BSONError as error:
        raise ValueError(f"document: MongoDB cannot hold it: {error}") from error
    wrong = next((name for name in document if name.startswith("$")), "")
    if wrong:
        raise ValueError(f'document: "{wrong}": a name cannot begin with "$"')
