"""People of the small house: users with roles, tokens with scopes, and browsers that are theirs."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from api_house import House
from wattbook.access import By, change_tokens, change_users
from wattbook.model.principal import Role, Scope

PASSWORD = "four words are enough"
CHANGE: Mapping[str, str] = {"x-wattbook": "1"}


def by(home: House, actor: str = "test") -> By:
    return By(actor, home.clock.now(), home.book.append_event)


def add_user(home: House, name: str = "anna", role: Role = Role.ADMIN, password: str = PASSWORD) -> None:
    """Somebody who can log in; the first must be an admin."""
    change_users(home.people, {"do": "add", "name": name, "password": password, "role": role}, by(home))


def add_token(home: House, *scopes: Scope, name: str = "program", days: int | None = None) -> str:
    order = {"do": "create", "name": name, "scopes": list(scopes), "days": days}
    return change_tokens(home.people, order, by(home))


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def log_in(client: httpx.AsyncClient, name: str = "anna", password: str = PASSWORD) -> httpx.Response:
    """Log a browser in; its cookie jar keeps the session."""
    return await client.post("/api/v1/login", json={"name": name, "password": password}, headers=CHANGE)
