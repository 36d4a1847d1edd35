"""Keys agree with libzmq's own; tokens and invitations are what they say, and nothing else is taken for one."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest
import zmq
from zmq.utils import z85

from common.clock import SeededRng
from common.errors import BadRequest, Unauthorized
from common.wire import keys

RNG = SeededRng("keys")
SIGNING = keys.new_signing_key(RNG)
MASTER = keys.sign(SIGNING, keys.MasterKey("10.0.0.1", 6444, 6445, keys.new_pair(RNG).public))
INVITATION = keys.Invitation("c-1", MASTER, keys.signing_public(SIGNING), keys.new_token(RNG))


def test_a_pair_is_what_libzmq_makes_of_the_same_secret() -> None:
    pair = keys.new_pair(RNG)
    assert zmq.curve_public(pair.secret.encode()).decode() == pair.public
    assert z85.decode(pair.public.encode()) and keys.valid_public(pair.public)


@pytest.mark.parametrize("text", ["", "x" * 39, "x" * 41, "#" * 40, '"' * 40, "é" * 40])
def test_what_is_no_curve_key_is_seen(text: str) -> None:
    assert not keys.valid_public(text)


def test_a_token_gives_one_pair_and_another_token_another() -> None:
    token, other = keys.new_token(RNG), keys.new_token(RNG)
    assert keys.token_pair(token) == keys.token_pair(token) != keys.token_pair(other)
    assert keys.TOKEN.match(token)


def test_the_same_secret_under_another_id_gives_another_pair() -> None:
    assert keys.token_pair("aaaaaa.0123456789abcdef") != keys.token_pair("bbbbbb.0123456789abcdef")


def test_an_invitation_is_read_as_it_was_printed() -> None:
    text = INVITATION.text()
    assert "\n" not in text and keys.invitation(f"  {text}\n") == INVITATION


def forged() -> str:
    other = keys.new_pair(RNG).public
    return msgspec.structs.replace(INVITATION, master=msgspec.structs.replace(MASTER, public_key=other)).text()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", BadRequest),
        ("abcdef.0123456789abcdef", BadRequest),
        (INVITATION.text()[:-20], BadRequest),
        (keys.INVITATION_PREFIX + "!!!", BadRequest),
        (keys.INVITATION_PREFIX + "A" * 5000, BadRequest),
        (msgspec.structs.replace(INVITATION, token="nonsense").text(), BadRequest),
        (forged(), Unauthorized),
    ],
    ids=["nothing", "a bare token", "cut off", "no base64", "huge", "a bad token", "another master's key"],
)
def test_what_is_no_invitation_is_refused_without_repeating_it(text: str, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        keys.invitation(text)
    assert not text or text not in str(raised.value)


def test_secrets_are_not_printed() -> None:
    pair = keys.new_pair(RNG)
    assert pair.secret not in repr(pair) and INVITATION.token not in repr(INVITATION)


def test_a_secret_file_is_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "agent.key"
    keys.write_secret(path, b"one")
    keys.write_secret(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["agent.key"]
