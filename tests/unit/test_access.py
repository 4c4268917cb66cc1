"""People and their file, passwords, sessions and the throttle: what stands behind the gate."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from access_house import PASSWORD, add_token, add_user, by
from api_house import NOW, House, house
from wattbook.access import LocalSecret, PeopleFile, TooMany, change_tokens, change_users
from wattbook.access import sessions as sessions_module
from wattbook.access.passwords import check_password, hash_password, is_password
from wattbook.access.people import People, User
from wattbook.access.sessions import AGE_S_MAX, IDLE_S_MAX, Sessions
from wattbook.access.throttle import Counts, Throttle
from wattbook.model import BookError, ConfigError
from wattbook.model.principal import LOCAL, OPEN, Role, Scope


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as home:
        yield home


def test_a_password_is_kept_as_argon2id() -> None:
    hashed = hash_password(PASSWORD)
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashed != hash_password(PASSWORD)  # its salt is its own
    assert is_password(PASSWORD, hashed)
    assert not is_password(PASSWORD + " ", hashed)
    assert not is_password(PASSWORD, None)


def test_a_composed_letter_is_the_same_on_every_keyboard() -> None:
    assert is_password("caf\u0065\u0301 con leche", hash_password("caf\u00e9 con leche"))


@pytest.mark.parametrize("password", ["", "short", "a" * 20, "1212121212", "Password-Anna", "x" * 201, None, 5])
def test_what_is_no_password(password: object) -> None:
    with pytest.raises(ConfigError) as caught:
        check_password(password, name="anna")
    assert not password or str(password) not in str(caught.value)


def test_secrets_do_not_show_themselves() -> None:
    user = User("anna", Role.ADMIN, "$argon2id$secret", NOW)
    assert "secret" not in repr(People((user,)))


def test_the_file_is_for_its_owner_alone(home: House) -> None:
    add_user(home)
    token = add_token(home, Scope.READ)
    text = home.people.path.read_text()
    assert stat.S_IMODE(home.people.path.stat().st_mode) == 0o600
    assert PASSWORD not in text
    assert token not in text and token.removeprefix("wattbook_") not in text
    home.people.path.chmod(0o644)
    assert PeopleFile(home.people.path).people().user("ANNA")
    assert stat.S_IMODE(home.people.path.stat().st_mode) == 0o600


def test_the_file_is_read_again_when_it_changed(home: House) -> None:
    add_user(home)
    other = PeopleFile(home.people.path)
    assert [user.name for user in other.people().users] == ["anna"]
    add_user(home, "bob", Role.VIEWER)
    assert [user.name for user in other.people().users] == ["anna", "bob"]


def test_a_file_that_cannot_be_read_opens_no_door(home: House) -> None:
    add_user(home)
    home.people.path.write_text('{"users": [')
    with pytest.raises(BookError, match="nobody can log in"):
        home.people.people()
    home.people.path.write_bytes(b" " * 1_000_001)
    with pytest.raises(BookError, match="larger than"):
        home.people.people()


def test_a_file_that_vanishes_opens_no_door(home: House) -> None:
    add_user(home)
    home.people.path.unlink()
    assert home.people.people().user("anna")


def test_a_power_cut_while_writing_leaves_the_old_file(home: House) -> None:
    add_user(home)
    home.people.path.with_name(home.people.path.name + ".new").write_text("half")
    add_user(home, "bob", Role.VIEWER)
    assert len(PeopleFile(home.people.path).people().users) == 2


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"do": "add", "name": "ANNA", "password": PASSWORD, "role": "viewer"}, "already"),
        ({"do": "add", "name": "bob", "password": PASSWORD, "role": "owner"}, "a role is one of"),
        ({"do": "add", "name": "bob", "password": PASSWORD}, 'needs "role"'),
        ({"do": "add", "name": "a/b", "password": PASSWORD, "role": "viewer"}, "a name has"),
        ({"do": "add", "name": "bob", "password": PASSWORD, "role": "viewer", "x": 1}, 'takes no "x"'),
        ({"do": "remove", "name": "anna"}, "last admin"),
        ({"do": "role", "name": "anna", "role": "viewer"}, "last admin"),
        ({"do": "role", "name": "ana", "role": "viewer"}, 'did you mean "anna"'),
        ({"do": ["add"], "name": "anna"}, '"do" is one of'),
        ({}, '"do" is one of'),
    ],
)
def test_what_cannot_be_changed(home: House, order: dict[str, object], words: str) -> None:
    add_user(home)
    before = home.people.path.read_bytes()
    with pytest.raises(ConfigError, match=words):
        change_users(home.people, order, by(home))
    assert home.people.path.read_bytes() == before


def test_the_first_user_is_an_admin(home: House) -> None:
    with pytest.raises(ConfigError, match="the first one is an admin"):
        add_user(home, "bob", Role.VIEWER)
    add_user(home)
    with pytest.raises(ConfigError, match="set already"):
        change_users(
            home.people, {"do": "add", "name": "eve", "password": PASSWORD, "role": "admin"}, by(home), first=True
        )


def test_a_token_gets_no_more_than_its_maker_has(home: House) -> None:
    maker = by(home).__class__("bob", NOW, home.book.append_event, Role.OPERATOR.scopes)
    with pytest.raises(ConfigError, match="you may not give"):
        change_tokens(home.people, {"do": "create", "name": "x", "scopes": ["users"]}, maker)
    with pytest.raises(ConfigError, match="did you mean"):
        change_tokens(home.people, {"do": "create", "name": "x", "scopes": ["reed"]}, maker)
    for days in (0, True, 1.5, "3", 4000):
        with pytest.raises(ConfigError, match="days"):
            change_tokens(home.people, {"do": "create", "name": "x", "scopes": ["read"], "days": days}, maker)


async def test_a_token_ends(home: House) -> None:
    token = add_token(home, Scope.READ, days=1)
    access = home.context.access
    held = access.by_token(token)
    assert held and access.holds(held)
    home.clock.at += timedelta(days=1)
    assert access.by_token(token) is None
    assert not access.holds(held)


def test_every_change_is_an_event_with_its_actor(home: House) -> None:
    add_user(home)
    add_token(home, Scope.READ)
    change_tokens(home.people, {"do": "revoke", "name": "program"}, by(home, "anna 192.168.7.9"))
    with pytest.raises(ConfigError):
        change_tokens(home.people, {"do": "revoke", "name": "program"}, by(home))
    told = home.context.reader.read("", 100).events
    assert [(event.kind, event.subject, event.actor) for event in told] == [
        ("user.added", "anna", "test"),
        ("token.created", "program", "test"),
        ("token.revoked", "program", "anna 192.168.7.9"),
    ]
    assert PASSWORD not in repr(told) and "argon2" not in repr(told)


def test_a_session_ends_by_idleness_and_by_age() -> None:
    sessions, user = Sessions(), User("anna", Role.ADMIN, "hash", NOW)
    key = sessions_module.hash_of(sessions.begin(user, 0.0))
    assert sessions.user_of(key, IDLE_S_MAX) == ("anna", "hash")
    assert sessions.user_of(key, 2 * IDLE_S_MAX + 1) is None
    assert sessions.user_of(key, 0.0) is None  # and stays over
    key, now_s = sessions_module.hash_of(sessions.begin(user, 0.0)), 0.0
    while now_s <= AGE_S_MAX:
        assert sessions.user_of(key, now_s)
        now_s += IDLE_S_MAX / 2
    assert sessions.user_of(key, now_s) is None


def test_sessions_are_bounded() -> None:
    sessions = Sessions()
    other = sessions_module.hash_of(sessions.begin(User("bob", Role.VIEWER, "hash", NOW), 0.0))
    for _ in range(3 * sessions_module.OF_USER_MAX):
        sessions.begin(User("anna", Role.ADMIN, "hash", NOW), 0.0)
    assert len(sessions) == sessions_module.OF_USER_MAX + 1
    assert sessions.user_of(other, 0.0)  # one user's do not end another's
    for number in range(2 * sessions_module.SESSIONS_MAX):
        sessions.begin(User(f"user {number}", Role.VIEWER, "hash", NOW), 0.0)
    assert len(sessions) == sessions_module.SESSIONS_MAX


def test_a_guesser_waits_ever_longer() -> None:
    counts = Counts(places=64, free=3, wait_s_max=60.0)
    now_s, waits = 1000.0, []
    for _ in range(10):
        waits.append(counts.wait_s("anna", now_s))
        now_s += waits[-1]
        counts.failed("anna", now_s)
    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60]
    assert counts.wait_s("anna", now_s + 59.0) == pytest.approx(1.0)
    assert counts.wait_s("anna", now_s + 3601.0) == 0.0  # forgiven
    counts.succeeded("anna")
    assert counts.wait_s("anna", now_s) == 0.0


def test_addresses_of_one_network_count_together() -> None:
    throttle = Throttle()
    for number in range(20):
        throttle.failed(f"name {number}", f"2001:db8::{number}", 0.0)
    assert throttle.wait_s("anna", "2001:db8::ffff", 0.0) > 60
    assert throttle.wait_s("anna", "2001:db8:0:1::1", 0.0) == 0
    assert throttle.wait_s("anna", "192.168.7.9", 0.0) == 0


def test_the_throttle_has_its_size_from_the_start() -> None:
    counts = Counts(places=64, free=3, wait_s_max=60.0)
    for number in range(10_000):
        counts.failed(f"name {number}", 0.0)
    assert len(counts._counts) == 64


async def test_wrong_passwords_are_throttled_by_name_and_by_address(home: House) -> None:
    add_user(home)
    access = home.context.access
    for _ in range(5):
        assert await access.log_in("anna", "wrong", "192.168.7.9") is None
    with pytest.raises(TooMany):
        await access.log_in("Anna", PASSWORD, "192.168.7.10")  # right, from elsewhere, and too early
    home.clock.at += timedelta(seconds=2)
    assert await access.log_in("anna", PASSWORD, "192.168.7.10")
    for number in range(5):
        assert await access.log_in(f"nobody {number}", "wrong", "192.168.7.9") is None
    with pytest.raises(TooMany):
        await access.log_in("somebody new", "wrong", "192.168.7.9")


async def test_another_spelling_of_a_name_is_no_way_round_its_throttle(home: House) -> None:
    add_user(home)
    access = home.context.access
    for spelling in ("anna", "Anna", "\uff41nna", "ANN\uff21", "\u24d0\u24dd\u24dd\u24d0"):
        assert await access.log_in(spelling, "wrong", "192.168.7.9") is None
    with pytest.raises(TooMany):
        await access.log_in("\uff41\uff4e\uff4e\uff41", PASSWORD, "192.168.7.10")
    home.clock.at += timedelta(seconds=2)
    assert await access.log_in("\uff41\uff4e\uff4e\uff41", PASSWORD, "192.168.7.10")
    assert await access.log_in("anna", "wrong", "192.168.7.9") is None  # the count began anew for all of them


async def test_a_name_that_is_not_there_is_throttled_like_one_that_is(home: House) -> None:
    add_user(home)
    for name in ("anna", "nobody"):
        answers = []
        for number in range(8):
            try:
                answers.append(await home.context.access.log_in(name, "wrong", f"10.0.{len(name)}.{number}"))
            except TooMany as error:
                answers.append(str(error.wait_s))
        assert answers == [None] * 5 + ["1.0"] * 3


async def test_a_new_password_role_or_removal_ends_what_was_held(home: House) -> None:
    add_user(home)
    add_user(home, "bob", Role.OPERATOR)
    access = home.context.access

    async def held() -> object:
        session = await access.log_in("bob", PASSWORD, "127.0.0.1")
        assert session
        return access.by_session(session)

    for order in (
        {"do": "passwd", "name": "bob", "password": PASSWORD},
        {"do": "role", "name": "bob", "role": "viewer"},
        {"do": "remove", "name": "bob"},
    ):
        principal = await held()
        assert access.holds(principal)  # type: ignore[arg-type]
        change_users(home.people, order, by(home))
        assert not access.holds(principal)  # type: ignore[arg-type]


def test_what_is_open_until_a_password_is_set(home: House) -> None:
    access = home.context.access
    assert access.holds(OPEN) and access.holds(LOCAL)
    add_user(home)
    assert not access.holds(OPEN)
    assert access.holds(LOCAL)


def test_the_secret_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "wattbook.db.secret"
    path.write_text("of a daemon that was killed")
    path.chmod(0o644)
    secret = LocalSecret(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret.is_it(path.read_text())
    assert not secret.is_it("") and not secret.is_it(path.read_text()[:-1]) and not secret.is_it("\ud800é")
    secret.remove()
    assert not path.exists()


def test_secrets_are_compared_in_constant_time() -> None:
    """No `==` on what a stranger sends: the machine's secret by compare_digest, all others by their hashes."""
    source = Path(__file__).parents[2] / "src/wattbook/access"
    assert "compare_digest" in (source / "local_secret.py").read_text()
    assert "hash_of(secret)" in (source / "access.py").read_text()


def test_instants_of_the_file_are_utc(home: House) -> None:
    add_user(home)
    since = home.people.people().users[0].since
    assert since == datetime(2026, 11, 21, 12, tzinfo=UTC)
