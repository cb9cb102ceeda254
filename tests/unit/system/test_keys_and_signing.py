"""Keys and signatures against the vectors of DSSE and RFC 8032."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from carez_desktop.errors import InputError, StorageError
from carez_desktop.system.keys import (
    is_source,
    key_id,
    keyed_digest,
    load_or_create_signing_key,
    public_bytes,
    site_secret,
    source_digest,
)
from carez_desktop.system.signing import (
    SignatureError,
    TrustStore,
    pre_authentication_encoding,
    sign,
    statement_for,
    verify,
)

# RFC 8032, section 7.1, TEST 1.
RFC_SECRET = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
RFC_PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
RFC_SIGNATURE = (
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
    "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)


def _statement() -> dict:
    return statement_for("bundle", {"sha256": "0" * 64}, "urn:example:seal:v1", {"revision": 1})


def test_pae_is_that_of_the_dsse_protocol_document():
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_ed25519_is_that_of_rfc_8032():
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(RFC_SECRET))
    assert public_bytes(key).hex() == RFC_PUBLIC
    assert key.sign(b"").hex() == RFC_SIGNATURE
    assert key_id(public_bytes(key)) == hashlib.sha256(bytes.fromhex(RFC_PUBLIC)).hexdigest()


def test_own_signature_is_trusted_and_an_unknown_one_is_only_good(tmp_path: Path):
    own = load_or_create_signing_key(tmp_path)
    store = TrustStore(tmp_path)
    checked = verify(sign(_statement(), own), store.keys())
    assert checked.trusted
    assert checked.statement == _statement()

    stranger = Ed25519PrivateKey.generate()
    envelope = sign(_statement(), stranger)
    with pytest.raises(SignatureError):
        verify(envelope, store.keys())
    assert not verify(envelope, store.keys(), [public_bytes(stranger)]).trusted
    keyid = store.add(public_bytes(stranger))
    assert verify(envelope, store.keys()).keyid == keyid
    assert verify(envelope, store.keys()).trusted


@pytest.mark.parametrize("field", ["payload", "sig", "payloadType"])
def test_a_changed_envelope_is_refused(tmp_path: Path, field: str):
    own = load_or_create_signing_key(tmp_path)
    envelope = sign(_statement(), own)
    if field == "payload":
        changed = base64.b64decode(envelope["payload"]).replace(b'"revision":1', b'"revision":2')
        envelope["payload"] = base64.b64encode(changed).decode()
    elif field == "sig":
        envelope["signatures"][0]["sig"] = "A" * 86 + "=="
    else:
        envelope["payloadType"] = "text/plain"
    with pytest.raises(SignatureError):
        verify(envelope, TrustStore(tmp_path).keys())


def test_both_base64_alphabets_are_accepted(tmp_path: Path):
    own = load_or_create_signing_key(tmp_path)
    envelope = sign(_statement(), own)
    envelope["signatures"][0]["sig"] = (
        envelope["signatures"][0]["sig"].replace("+", "-").replace("/", "_")
    )
    assert verify(envelope, TrustStore(tmp_path).keys()).trusted


def test_keys_are_made_once_for_their_owner_only(tmp_path: Path):
    first = load_or_create_signing_key(tmp_path)
    assert public_bytes(load_or_create_signing_key(tmp_path)) == public_bytes(first)
    assert site_secret(tmp_path) == site_secret(tmp_path)
    assert len(site_secret(tmp_path)) == 32
    if os.name == "posix":
        for name in ("signing.key", "site.secret"):
            assert stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600
        (tmp_path / "keys" / "signing.key").chmod(0o644)
        with pytest.raises(StorageError, match="chmod 600"):
            load_or_create_signing_key(tmp_path)


def test_a_damaged_key_is_a_storage_error(tmp_path: Path):
    load_or_create_signing_key(tmp_path)
    path = tmp_path / "keys" / "signing.key"
    path.write_bytes(b"not a key")
    with pytest.raises(StorageError, match="damaged"):
        load_or_create_signing_key(tmp_path)


def test_keyed_digest_is_hmac_sha256_of_rfc_4231():
    # RFC 4231, test case 1.
    expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    assert keyed_digest(b"\x0b" * 20, "Hi There") == expected
    assert hmac.compare_digest(keyed_digest(b"\x0b" * 20, b"Hi There"), expected)


def test_a_source_is_found_by_its_identity_and_proved_by_its_content():
    digest = source_digest(b"k" * 32, "1.2.3", "a" * 64)
    assert "1.2.3" not in digest
    assert is_source(b"k" * 32, digest, "1.2.3")
    assert not is_source(b"k" * 32, digest, "1.2.4")
    assert not is_source(b"j" * 32, digest, "1.2.3")
    assert source_digest(b"k" * 32, "1.2.3", "b" * 64) != digest


def test_a_public_key_of_a_wrong_length_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="Ed25519"):
        TrustStore(tmp_path).add(b"short")
