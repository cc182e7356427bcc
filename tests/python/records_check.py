"""Reads a set of records as mxnet does, and prints what is in it as JSON.

    records_check.py FOLDER

With mxnet at hand (PYTHONPATH) its own recordio module and library read; the rest of mxnet, which newer NumPys break,
is not imported. Otherwise a reader written here from dmlc's format:
magic number, word of kind and length, bytes, padding to four; a record that holds the magic number at a multiple of
four is split there. Uses nothing but the standard library then.
"""

import hashlib
import importlib
import json
import os
import struct
import sys
import types

MAGIC = 0xCED7230A


def plain_record(file, offset):
    """The bytes of the record at an offset."""
    file.seek(offset)
    out = b""
    while True:
        magic, word = struct.unpack("<II", file.read(8))
        assert magic == MAGIC, f"no record at {file.tell() - 8}"
        kind, length = word >> 29, word & ((1 << 29) - 1)
        out += file.read(length)
        file.read(-length % 4)
        if kind in (0, 3):
            return out
        out += struct.pack("<I", MAGIC)


def plain(folder):
    """Header and bytes of every record, by number."""
    with open(os.path.join(folder, "train.idx")) as index:
        offsets = dict(tuple(map(int, line.split("\t"))) for line in index)
    with open(os.path.join(folder, "train.rec"), "rb") as file:
        for number, offset in offsets.items():
            record = plain_record(file, offset)
            flag, label, number2, _ = struct.unpack("<IfQQ", record[:24])
            labels = [label] if flag == 0 else list(struct.unpack(f"<{flag}f", record[24 : 24 + 4 * flag]))
            yield number, number2, labels, record[24 + 4 * flag :]


def mxnet(folder, recordio):
    """The same by mxnet."""
    paths = (os.path.join(folder, name) for name in ("train.idx", "train.rec"))
    records = recordio.MXIndexedRecordIO(*paths, "r")
    for number in records.keys:
        header, content = recordio.unpack(records.read_idx(number))
        labels = [header.label] if header.flag == 0 else [float(label) for label in header.label]
        yield number, header.id, labels, content


def mxnet_recordio():
    """mxnet's module of that name, without the package around it: its __init__ needs a NumPy of 2022."""
    for folder in sys.path:
        if os.path.exists(os.path.join(folder, "mxnet", "recordio.py")):
            package = types.ModuleType("mxnet")
            package.__path__ = [os.path.join(folder, "mxnet")]
            sys.modules["mxnet"] = package
            return importlib.import_module("mxnet.recordio")
    raise ImportError("no mxnet")


def main():
    folder = sys.argv[1]
    try:
        recordio = mxnet_recordio()

        reader, records = "mxnet", mxnet(folder, recordio)
    except ImportError:
        reader, records = "plain", plain(folder)
    found = [
        {"number": number, "id": own, "labels": labels, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for number, own, labels, content in records
    ]
    with open(os.path.join(folder, "property")) as file:
        prop = file.read()
    print(json.dumps({"reader": reader, "property": prop, "records": found}))


main()
