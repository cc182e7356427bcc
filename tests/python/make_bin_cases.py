"""Makes small evaluation bins in every pickle dialect: make_bin_cases.py

Run it with the Keras environment of `cargo xtask test`. It writes tests/cases/recordio/bins. Python 3 pickles are made by
pickle itself (protocols 0 to 5, the installed NumPy); NumPy 1's names by a pickler that writes them; Python 2's by hand,
instruction by instruction. Python reads every file back before it is kept.
"""
import hashlib
import io
import json
import os
import pickle
import struct

import numpy as np
import tensorflow as tf

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cases", "recordio", "bins")
SAME = [True, False, False]


def images():
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:16, 0:16] / 16
    encoded = []
    for at in range(2 * len(SAME)):
        waves = [128 + 90 * np.sin(random.uniform(3, 9) * x + random.uniform(3, 9) * y) for _ in range(3)]
        picture = np.stack(waves, -1).astype("uint8")
        # The last one is a PNG: other bytes need escapes there.
        encode = tf.io.encode_png if at == 5 else tf.io.encode_jpeg
        encoded.append(encode(picture).numpy())
    return encoded


class NumPy1(pickle._Pickler):
    """Names NumPy's functions as NumPy 1 did."""

    def save_global(self, obj, name=None):
        module = pickle.whichmodule(obj, name or obj.__qualname__)
        if not module.startswith("numpy._core"):
            return super().save_global(obj, name)
        module, name = module.replace("numpy._core", "numpy.core"), name or obj.__qualname__
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(obj)


def numpy1(value, protocol):
    file = io.BytesIO()
    NumPy1(file, protocol).dump(value)
    return file.getvalue()


def quoted(data):
    """As Python 2's repr of a str."""
    return b"S" + repr(data)[1:].encode("ascii") + b"\n"


def python2(encoded, protocol):
    """([str, ...], [bool, ...]) as Python 2's cPickle writes it."""
    number = iter(range(10**6))

    def put():
        return b"p%d\n" % next(number) if protocol == 0 else b"q" + bytes([next(number)])

    def text(data):
        if protocol == 0:
            return quoted(data)
        return b"U" + bytes([len(data)]) + data if len(data) < 256 else b"T" + struct.pack("<i", len(data)) + data

    def flag(value):
        return (b"\x88" if value else b"\x89") if protocol == 2 else b"I01\n" if value else b"I00\n"

    def listed(items):
        if protocol == 0:
            return b"(l" + put() + b"".join(item() + b"a" for item in items)
        return b"]" + put() + b"(" + b"".join(item() for item in items) + b"e"

    lists = listed([lambda data=data: text(data) + put() for data in encoded]) + listed([lambda value=value: flag(value) for value in SAME])
    start = b"\x80\x02" if protocol == 2 else b""
    return start + (b"(" + lists + b"t" if protocol < 2 else lists + b"\x86") + put() + b"."


def python2_array(encoded):
    """([ndarray, ...], ndarray of bool) under protocol 0: every name in full, every byte escaped."""

    def array(code, order, count, data):
        head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        dtype = b"cnumpy\ndtype\n(S'" + code + b"'\nI0\nI1\ntR(I3\nS'" + order + b"'\nNNNI-1\nI-1\nI0\ntb"
        return head + b"(I1\n(I%d\nt" % count + dtype + b"I00\n" + quoted(data) + b"tb"

    listed = b"(l" + b"".join(array(b"u1", b"|", len(data), data) + b"a" for data in encoded)
    return b"(" + listed + array(b"b1", b"|", len(SAME), bytes(SAME)) + b"t."


def plain(value):
    """What a reader must get of a bin: image bytes, and flags."""
    pictures, flags = value

    def data(one):
        return one.encode("latin1") if isinstance(one, str) else np.asarray(one).tobytes() if isinstance(one, np.ndarray) else bytes(one)

    return [data(one) for one in pictures], [bool(flag) for flag in np.asarray(flags).reshape(-1)]


def main():
    encoded = images()
    arrays = [np.frombuffer(data, np.uint8) for data in encoded]
    bins = {}
    for protocol in range(6):
        bins[f"bytes_p{protocol}"] = pickle.dumps((encoded, SAME), protocol)
    for protocol in range(3):
        bins[f"python2_p{protocol}"] = python2(encoded, protocol)
    bins["python2_arrays_p0"] = python2_array(encoded)
    bins["arrays_numpy2_p2"] = pickle.dumps((arrays, np.array(SAME)), 2)
    bins["arrays_numpy2_p4"] = pickle.dumps((arrays, list(np.array(SAME))), 4)
    bins["arrays_numpy2_p5"] = pickle.dumps((arrays, np.array(SAME)), 5)
    bins["arrays_numpy2_owned_p5"] = pickle.dumps(([one.copy() for one in arrays], np.array(SAME, ">i4")), 5)
    bins["arrays_numpy1_p0"] = numpy1((arrays, np.array(SAME)), 0)
    bins["arrays_numpy1_p3"] = numpy1((arrays, list(np.array(SAME, "int64"))), 3)
    bins["arrays_numpy1_p4"] = numpy1((arrays, np.array(SAME, "float32")), 4)
    bins["arrays_numpy1_p5"] = numpy1((arrays, list(np.array(SAME))), 5)
    bins["bytearrays_p2"] = pickle.dumps(([bytearray(one) for one in encoded], [int(flag) for flag in SAME]), 2)
    bins["bytearrays_p5"] = pickle.dumps([[bytearray(one) for one in encoded], tuple(SAME)], 5)
    bins["object_array_p4"] = pickle.dumps((np.array(encoded, object), np.array(SAME)), 4)
    bins["latin1_texts_p2"] = pickle.dumps(([one.decode("latin1") for one in encoded], SAME), 2)
    # The same objects again and again: they are in the file once.
    repeated = [encoded[0], encoded[0], encoded[1], encoded[0], encoded[1], encoded[2]]
    bins["repeated_p4"] = pickle.dumps((repeated, SAME), 4)
    os.makedirs(FOLDER, exist_ok=True)
    expected = {"numpy": np.__version__, "n_images": len(encoded), "n_pairs": len(SAME), "issame": SAME, "variants": {},
                "sha256": [hashlib.sha256(data).hexdigest() for data in encoded]}
    for name, content in bins.items():
        got, flags = plain(pickle.loads(content, encoding="latin1"))
        wanted = repeated if name.startswith("repeated") else encoded
        assert got == wanted and flags == SAME, name
        variant = {"size": len(content)}
        if wanted is repeated:
            variant["sha256"] = [hashlib.sha256(data).hexdigest() for data in repeated]
        expected["variants"][f"{name}.bin"] = variant
        with open(os.path.join(FOLDER, f"{name}.bin"), "wb") as file:
            file.write(content)
    with open(os.path.join(FOLDER, "expected.json"), "w") as file:
        json.dump(expected, file, indent=1)
        file.write("\n")


main()
