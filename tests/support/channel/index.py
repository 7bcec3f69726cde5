"""The indexes of a channel: repodata.json, its compressed form and the shards of CEP 16."""

import hashlib
import json
import os
import random
from collections import defaultdict
from pathlib import Path

import msgpack
import zstandard

from package import SUBDIR, TIME, for_this_python

SUBDIRS = (SUBDIR, "noarch")
MANY = 30_000


def plain(folder: Path, subdir, records):
    data = json.dumps(
        {
            "info": {"subdir": subdir},
            "packages": {},
            "packages.conda": dict(sorted(records.items())),
            "removed": [],
            "repodata_version": 1,
        }
    ).encode()
    (folder / "repodata.json").write_bytes(data)
    return data


def compressed(folder: Path, data):
    (folder / "repodata.json.zst").write_bytes(zstandard.compress(data))


def shards(folder: Path, subdir, records):
    """One file for each name, named by its hash; an index leads from the names to them. Hashes are bytes here."""
    by_name = defaultdict(dict)
    for file_name, record in records.items():
        hashes = {kind: bytes.fromhex(record[kind]) for kind in ("md5", "sha256")}
        by_name[record["name"]][file_name] = record | hashes
    (folder / "shards").mkdir()
    compressor = zstandard.ZstdCompressor()
    index = {}
    for name, packages in sorted(by_name.items()):
        shard = {"packages": {}, "packages.conda": packages, "removed": []}
        data = compressor.compress(msgpack.packb(shard))
        index[name] = hashlib.sha256(data).digest()
        (folder / "shards" / f"{index[name].hex()}.msgpack.zst").write_bytes(data)
    # Both addresses are relative to this index.
    info = {"subdir": subdir, "base_url": "./", "shards_base_url": "./shards/", "created_at": "2025-10-09T08:53:20Z"}
    data = compressor.compress(msgpack.packb({"version": 1, "info": info, "shards": index}))
    (folder / "repodata_shards.msgpack.zst").write_bytes(data)


def channel(folder: Path, records):
    """Every form of the index; `records` are by subdir and file name."""
    for subdir in SUBDIRS:
        data = plain(folder / subdir, subdir, records[subdir])
        compressed(folder / subdir, data)
        shards(folder / subdir, subdir, records[subdir])


def same_archives(source: Path, folder: Path):
    for subdir in SUBDIRS:
        (folder / subdir).mkdir(parents=True)
        for archive in (source / subdir).glob("*.conda"):
            os.link(archive, folder / subdir / archive.name)


def plain_channel(source: Path, folder: Path, records):
    """The same packages behind the oldest form of the index alone."""
    same_archives(source, folder)
    for subdir in SUBDIRS:
        plain(folder / subdir, subdir, records[subdir])


def many_channel(source: Path, folder: Path, records):
    """The same packages among tens of thousands of names that have records and no archives."""
    same_archives(source, folder)
    records = {subdir: dict(records[subdir]) for subdir in SUBDIRS}
    for record in many_records():
        records[record["subdir"]]["{name}-{version}-{build}.conda".format(**record)] = record
    channel(folder, records)


def many_records():
    """As large as a real channel, and solvable: a name depends on earlier ones only, and any version will do.

    Dependencies lean towards the first names, as a channel's do: what a package needs in all stays in the hundreds.
    """
    chance = random.Random(16)
    for number in range(MANY):
        noarch = number % 2 == 0
        python = ["python >=3.9"] if noarch else for_this_python()
        needs = {int(number * chance.random() ** 3) for _ in range(chance.randint(0, 6))} - {number}
        for minor in range(chance.randint(2, 8)):
            depends = python + [f"many-{need:05} >=1.{chance.randint(0, 1)},<2.0a0" for need in sorted(needs)]
            name, version, build = f"many-{number:05}", f"1.{minor}.0", "pyhd8ed1ab_0" if noarch else "h0a1b2c3_0"
            unique = f"{name} {version}".encode()
            record = {
                "build": build,
                "build_number": 0,
                "constrains": [],
                "depends": depends,
                "license": "BSD-3-Clause",
                "md5": hashlib.md5(unique).hexdigest(),
                "name": name,
                "sha256": hashlib.sha256(unique).hexdigest(),
                "size": chance.randint(5_000, 5_000_000),
                "subdir": "noarch" if noarch else SUBDIR,
                "timestamp": TIME * 1000 - chance.randint(0, 10**11),
                "version": version,
            }
            yield record | ({"noarch": "python"} if noarch else {})
