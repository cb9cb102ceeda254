"""Signatures that recipients can check without our code: DSSE over an in-toto statement.

DSSE v1 (https://github.com/secure-systems-lab/dsse), in-toto Statement v1
(https://in-toto.io/Statement/v1), Ed25519 (RFC 8032). What was verified is parsed from the very
bytes that were verified.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from carez_desktop.domain.codec import canonical_json
from carez_desktop.errors import InputError
from carez_desktop.system.file_safety import atomic_output
from carez_desktop.system.keys import (
    key_id,
    keys_folder,
    load_or_create_signing_key,
    public_bytes,
)

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PUBLIC_KEY_BYTES = 32


class SignatureError(InputError):
    """An envelope that is malformed, or whose signature does not fit its content."""

    code = "signature"


@dataclass(frozen=True, slots=True)
class VerifiedStatement:
    """A statement whose signature is good.

    Attributes:
        statement: Parsed from the verified bytes.
        trusted: Whether the key is one that this site trusts.
    """

    statement: Mapping[str, Any]
    keyid: str
    trusted: bool


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's PAE: `DSSEv1 <length> <type> <length> <payload>`."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def statement_for(
    subject_name: str, digest: Mapping[str, str], predicate_type: str, predicate: Mapping[str, Any]
) -> dict[str, Any]:
    """Build an in-toto Statement v1 about one subject."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": subject_name, "digest": dict(digest)}],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def sign(statement: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """Sign a statement; the same statement and key always give the same envelope."""
    payload = canonical_json(statement)
    signature = key.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {"keyid": key_id(public_bytes(key)), "sig": base64.b64encode(signature).decode()}
        ],
    }


def verify(
    envelope: Mapping[str, Any], trusted: Mapping[str, bytes], candidates: Sequence[bytes] = ()
) -> VerifiedStatement:
    """Check an envelope's signature and return its statement.

    Args:
        envelope: DSSE envelope as plain data.
        trusted: keyid -> raw public key, as of `TrustStore.keys`.
        candidates: Raw public keys that came along with the envelope: good for checking
            integrity, never a reason to trust.

    Raises:
        SignatureError: Malformed, an unknown key that did not come along, or a wrong signature.
    """
    payload = _decode(envelope.get("payload"))
    signatures = envelope.get("signatures")
    if envelope.get("payloadType") != PAYLOAD_TYPE or not isinstance(signatures, list):
        raise _refuse("The envelope is not a DSSE envelope of an in-toto statement")
    known = {key_id(public): public for public in candidates} | dict(trusted)
    for entry in signatures:
        if not isinstance(entry, dict):
            continue
        keyid = str(entry.get("keyid", ""))
        public = known.get(keyid)
        if public is not None and _is_good(public, _decode(entry.get("sig")), payload):
            return VerifiedStatement(_statement(payload), keyid, keyid in trusted)
    raise _refuse("No signature fits the signed content")


def _is_good(public: bytes, signature: bytes, payload: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            signature, pre_authentication_encoding(PAYLOAD_TYPE, payload)
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _decode(text: Any) -> bytes:
    """Decode either base64 alphabet, as DSSE asks of a verifier."""
    try:
        plain = str(text).replace("-", "+").replace("_", "/")
        return base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError):
        raise _refuse("The envelope is not valid base64") from None


def _statement(payload: bytes) -> dict[str, Any]:
    try:
        statement = json.loads(payload)
    except ValueError:
        raise _refuse("The signed content is not JSON") from None
    if not isinstance(statement, dict) or statement.get("_type") != STATEMENT_TYPE:
        raise _refuse("The signed content is not an in-toto statement")
    return statement


def _refuse(what: str) -> SignatureError:
    return SignatureError(what, subject="signature", hint="Ask the sender for a new copy")


class TrustStore:
    """The public keys whose signatures this site accepts: its own, and those added by hand."""

    def __init__(self, home: Path) -> None:
        """Read keys from `keys/trusted/` of the home folder; the own key needs no entry."""
        self._home = home

    @property
    def _folder(self) -> Path:
        return keys_folder(self._home) / "trusted"

    def keys(self) -> dict[str, bytes]:
        """Return keyid -> 32 raw bytes of every trusted key."""
        own = public_bytes(load_or_create_signing_key(self._home))
        trusted = {key_id(own): own}
        if self._folder.is_dir():
            for path in sorted(self._folder.glob("*.pub")):
                public = parse_public_key(path.read_text(encoding="ascii", errors="replace"))
                trusted[key_id(public)] = public
        return trusted

    def add(self, public: bytes) -> str:
        """Trust a key from now on and return its keyid.

        Raises:
            InputError: When it is not the 32 bytes of an Ed25519 public key.
        """
        checked = parse_public_key(public.hex())
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{key_id(checked)}.pub"
        with atomic_output(path, "The trusted key cannot be kept") as part:
            part.write_text(checked.hex() + "\n", encoding="ascii")
        return key_id(checked)


def parse_public_key(text: str) -> bytes:
    """Return the raw bytes of a public key written as 64 hexadecimal digits.

    Raises:
        InputError: When it is anything else.
    """
    try:
        public = bytes.fromhex(text.strip())
    except ValueError:
        public = b""
    if len(public) != _PUBLIC_KEY_BYTES:
        raise InputError(
            "Not an Ed25519 public key", subject=text[:80], hint="Give its 64 hexadecimal digits"
        )
    return public
