"""The site's own keys: one that signs bundles, one that hides who the sources are."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from carez_desktop.errors import StorageError
from carez_desktop.system.file_safety import create_owner_only, read_owner_only
from carez_desktop.system.paths import make_private_folder

SIGNING_KEY_NAME = "signing.key"
SITE_SECRET_NAME = "site.secret"  # noqa: S105 - a file name
_SECRET_BYTES = 32


def keys_folder(home: Path) -> Path:
    """Return the folder of the site's keys, creating it for its owner only."""
    return make_private_folder(home / "keys")


def load_or_create_signing_key(home: Path) -> Ed25519PrivateKey:
    """Return the site's Ed25519 signing key, making it at first use.

    The key is PKCS #8 PEM without a pass phrase, in a file that only its owner may read.

    Raises:
        StorageError: Unreadable, readable by others, or not an Ed25519 key.
    """
    path = keys_folder(home) / SIGNING_KEY_NAME
    if not path.exists():
        fresh = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        create_owner_only(path, fresh)
    try:
        key = serialization.load_pem_private_key(read_owner_only(path), password=None)
    except (ValueError, TypeError) as error:
        raise _damaged(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _damaged(path)
    return key


def public_bytes(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """Return the 32 raw bytes of a public key (RFC 8032)."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def key_id(public: bytes) -> str:
    """Name a public key: SHA-256 (hex) of its 32 raw bytes."""
    return hashlib.sha256(public).hexdigest()


def site_secret(home: Path) -> bytes:
    """Return the site's 32 secret bytes for keyed digests, making them at first use.

    Raises:
        StorageError: Unreadable, readable by others, or of a wrong length.
    """
    path = keys_folder(home) / SITE_SECRET_NAME
    if not path.exists():
        create_owner_only(path, secrets.token_bytes(_SECRET_BYTES))
    secret = read_owner_only(path)
    if len(secret) != _SECRET_BYTES:
        raise _damaged(path)
    return secret


def keyed_digest(secret: bytes, text_or_bytes: str | bytes) -> str:
    """Return HMAC-SHA256 (hex): names something to this site and tells nobody else what it is."""
    content = text_or_bytes.encode() if isinstance(text_or_bytes, str) else text_or_bytes
    return hmac.new(secret, content, hashlib.sha256).hexdigest()


def source_digest(secret: bytes, volume_id: str, array_sha256: str) -> str:
    """Name the source volume of a synthetic case without saying which it is.

    Args:
        secret: Of `site_secret`.
        volume_id: Of the library.
        array_sha256: `domain.codec.array_digest` of the source's modality values.

    Returns:
        `hmac-sha256:<identity>:<content>`: the first part finds the volume in the library without
        reading pixels, the second proves that its pixels are still the same.
    """
    identity = keyed_digest(secret, f"volume|{volume_id}")
    content = keyed_digest(secret, f"pixels|{volume_id}|{array_sha256}")
    return f"hmac-sha256:{identity}:{content}"


def is_source(secret: bytes, digest: str, volume_id: str) -> bool:
    """Whether a `source_digest` names this volume, whatever its pixels are now."""
    parts = digest.split(":")
    identity = keyed_digest(secret, f"volume|{volume_id}")
    return len(parts) == 3 and hmac.compare_digest(parts[1], identity)


def _damaged(path: Path) -> StorageError:
    return StorageError(
        f"{path.name} is damaged",
        subject=str(path),
        hint="Restore it from a backup; moving it away makes a new one, unknown to recipients",
    )
