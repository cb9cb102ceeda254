"""Verify a Carez bundle with h5py and cryptography alone; none of the product's code is needed.

    python verify_bundle.py FILE.h5 [--key PUBLIC_KEY]

PUBLIC_KEY is the sender's Ed25519 key, 64 hexadecimal digits, got by another way than the file.
Printed is `valid` (intact and signed by that key), `untrusted` (intact, signed by another key),
`unsigned` (intact) or `invalid` (changed, or wrongly signed), then the Merkle root or the reason.
Exit status 0: valid, or intact where no --key was given. 1: anything else. 2: wrong usage.

HDF5 itself parses the file here: run it in a sandbox for files from unknown senders. The format
is described in bundle-format.md and inside every bundle at /specification/layout.
"""

import base64
import hashlib
import json
import math
import sys

import h5py
import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32"}
PAYLOAD_TYPE = b"application/vnd.in-toto+json"


class RefusedError(Exception):
    """Something that a bundle may not hold."""


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def merkle_root(leaves):
    """RFC 6962, section 2.1: 0x00 before a leaf, 0x01 before a pair."""
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        pairs = zip(level[0::2], level[1::2], strict=False)
        odd = level[len(level) // 2 * 2 :]
        level = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in pairs] + odd
    return level[0].hex() if level else hashlib.sha256(b"").hexdigest()


def check_type(kind, path):
    allowed = kind.get_class() in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING)
    if not allowed or not h5py.h5t.py_create(kind.dtype, logical=True).equal(kind):
        raise RefusedError(f"{path}: a type that a bundle may not use")


def check_dataset(data, path):
    """Refuse what lies outside the file, or would unfold to more than the file can hold."""
    plist = data.id.get_create_plist()
    check_type(data.id.get_type(), path)
    if plist.get_layout() == h5py.h5d.VIRTUAL or plist.get_external_count():
        raise RefusedError(f"{path}: its data lies outside the file")
    if any(plist.get_filter(i)[0] not in FILTERS for i in range(plist.get_nfilters())):
        raise RefusedError(f"{path}: an unknown filter")
    if data.shape is None or data.maxshape != data.shape:
        raise RefusedError(f"{path}: an empty or resizable dataset")
    if data.chunks:
        steps = zip(data.shape, data.chunks, strict=True)
        if data.id.get_num_chunks() != math.prod(-(-extent // step) for extent, step in steps):
            raise RefusedError(f"{path}: chunks that were never written")
    elif data.id.get_storage_size() < data.size * data.dtype.itemsize:
        raise RefusedError(f"{path}: data that was never written")


def data_digest(data):
    if data.ndim == 0:
        return hashlib.sha256(np.asarray(data[()], dtype=data.dtype).tobytes()).hexdigest()
    digest, step = hashlib.sha256(), data.chunks[0] if data.chunks else 1
    for start in range(0, data.shape[0], step):
        digest.update(data[start : start + step].tobytes())
    return digest.hexdigest()


def attribute_entries(item, path):
    for name in item.attrs:
        check_type(item.attrs.get_id(name).get_type(), f"{path}@{name}")
        value = np.asarray(item.attrs[name], dtype=item.attrs.get_id(name).dtype)
        yield {
            "path": f"{path}@{name}",
            "kind": "attribute",
            "dtype": value.dtype.str,
            "shape": list(value.shape),
            "sha256": hashlib.sha256(value.tobytes()).hexdigest(),
        }


def entries_of(item, path, seen):
    """Yield the entry of an object, of its attributes, and of everything below it."""
    address = h5py.h5o.get_info(item.id).addr
    if address in seen:
        raise RefusedError(f"{path}: a second name of one object")
    seen.add(address)
    if isinstance(item, h5py.Dataset):
        check_dataset(item, path)
        plist = item.id.get_create_plist()
        filters = [plist.get_filter(i) for i in range(plist.get_nfilters())]
        filters = [FILTERS[f[0]] + (f":{f[2][0]}" if f[0] == 1 else "") for f in filters]
        yield {
            "path": path,
            "kind": "dataset",
            "dtype": item.dtype.str,
            "shape": list(item.shape),
            "chunks": list(item.chunks) if item.chunks else None,
            "filters": filters,
            "fill_value": item.fillvalue.item() if item.dtype.kind in "iuf" else "",
            "sha256": data_digest(item),
        }
        yield from attribute_entries(item, path)
        return
    if not isinstance(item, h5py.Group):
        raise RefusedError(f"{path}: a named type")
    yield {"path": path, "kind": "group"}
    yield from attribute_entries(item, path)
    for name in sorted(item):
        if item.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
            raise RefusedError(f"{path}/{name}: a soft or external link")
        if path != "/" or name not in ("manifest", "signatures"):
            yield from entries_of(item[name], f"{path.rstrip('/')}/{name}", seen)


def text(data, path):
    check_dataset(data, path)
    if data.shape != () or data.dtype.kind != "S":
        raise RefusedError(f"{path}: not a text")
    return bytes(data[()])


def check_manifest(file):
    """Return the Merkle root; raise RefusedError where the content is not what was written."""
    found = {entry["path"]: canonical(entry) for entry in entries_of(file["/"], "/", set())}
    manifest = file["manifest"]
    if (set(manifest), set(manifest.attrs)) != ({"lines"}, {"algorithm", "merkle_root", "entries"}):
        raise RefusedError("/manifest: holds something else than the manifest")
    lines = text(manifest["lines"], "/manifest/lines")
    stored = {json.loads(line)["path"]: line for line in lines.split(b"\n")}
    for path in sorted({*found, *stored}):
        if found.get(path) != stored.get(path):
            raise RefusedError(f"{path}: changed, added or dropped")
    root = merkle_root([found[path] for path in sorted(found)])
    if manifest.attrs["merkle_root"].decode() != root or manifest.attrs["entries"] != len(found):
        raise RefusedError("/manifest: not the root of the content")
    return root


def check_signatures(file, root, wanted):
    """Return `valid`, `untrusted` or `unsigned`; raise RefusedError for a wrong signature."""
    group = file.get("signatures")
    if group is None or not len(group):
        if group is not None or file.attrs["state"].decode() == "sealed":
            raise RefusedError("/signatures: a sealed bundle without a signature")
        return "unsigned"
    verdict = "untrusted"
    for keyid, data in group.items():
        path = f"/signatures/{keyid}"
        if len(group.attrs) or set(data.attrs) != {"public_key"}:
            raise RefusedError(f"{path}: not a signature")
        public = bytes.fromhex(data.attrs["public_key"].decode())
        envelope = json.loads(text(data, path))
        payload = base64.b64decode(envelope["payload"])
        encoded = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE, len(payload), payload)
        signature = base64.b64decode(envelope["signatures"][0]["sig"])
        Ed25519PublicKey.from_public_bytes(public).verify(signature, encoded)
        statement = json.loads(payload)
        facts = statement["predicate"]
        same = (
            keyid == hashlib.sha256(public).hexdigest()
            and statement["subject"][0]["digest"]["carezBundleMerkleRoot"] == root
            and facts["bundle_uuid"] == file.attrs["bundle_uuid"].decode()
            and facts["revision"] == int(file.attrs["revision"])
        )
        if not same:
            raise RefusedError(f"{path}: it signs something else")
        verdict = "valid" if public.hex() == wanted else verdict
    return verdict


def main(arguments):
    if len(arguments) not in (1, 3) or (len(arguments) == 3 and arguments[1] != "--key"):
        print(__doc__)
        return 2
    wanted = arguments[2].lower() if len(arguments) == 3 else ""
    try:
        with h5py.File(arguments[0], "r") as file:
            verdict = check_signatures(file, root := check_manifest(file), wanted)
    except InvalidSignature:
        verdict, root = "invalid", "a signature does not fit its content"
    except Exception as why:  # noqa: BLE001 - whatever a broken file makes HDF5 raise
        verdict, root = "invalid", str(why)
    print(verdict, root)
    return 0 if verdict == "valid" or (verdict != "invalid" and not wanted) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
