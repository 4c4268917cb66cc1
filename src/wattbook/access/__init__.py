"""People, their passwords and tokens: who is asking. Knows no HTTP."""

from wattbook.access.access import Access, TooMany
from wattbook.access.changes import By, change_tokens, change_users
from wattbook.access.local_secret import LocalSecret
from wattbook.access.people import People, Token, User
from wattbook.access.people_file import PeopleFile

__all__ = [
    "Access",
    "By",
    "LocalSecret",
    "People",
    "PeopleFile",
    "Token",
    "TooMany",
    "User",
    "change_tokens",
    "change_users",
]
