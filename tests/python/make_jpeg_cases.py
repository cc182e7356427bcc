"""Makes crates/jpeg/tests/cases: small baseline JPEGs and what libjpeg-turbo makes of them, through Pillow.

    make_jpeg_cases.py FOLDER

`pixels.json` has, by file, width, height and the sha256 of the RGB pixels (rows of pixels of three bytes). The committed files
were made with Pillow 13.0.0, which has libjpeg-turbo 3.2.0 in it; libjpeg-turbo 2.1.5 gives the same.

    pip install pillow==13.0.0 numpy
"""

import hashlib
import io
import json
import os
import sys

import numpy as np
from PIL import Image

RNG = np.random.default_rng(7)


def picture(width, height, kind):
    """Noise, waves with grain, or hard edges."""
    if kind == "noise":
        return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    if kind == "edges":
        return np.where(((x // 3 + y // 5) % 2)[..., None] == 0, [255, 0, 0], [0, 0, 255]).astype(np.uint8)
    waves = [128 + 100 * np.sin(x / (3 + 5 * k) + k) * np.cos(y / (4 + 3 * k)) for k in range(3)]
    return np.clip(np.stack(waves, -1) + RNG.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


def encoded(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def turned(data):
    """4:4:0 of a 4:2:2 image: as many blocks, in the same order, when width and height change places."""
    at = data.index(b"\xff\xc0") + 5
    assert data[at + 6] == 0x21
    return data[:at] + data[at + 2 : at + 4] + data[at : at + 2] + data[at + 4 : at + 6] + b"\x12" + data[at + 7 :]


CASES = {
    "420_q10": (48, 40, "waves", dict(subsampling=2, quality=10)),
    "420_q50_odd": (37, 29, "waves", dict(subsampling=2, quality=50)),
    "420_q75_optimised": (41, 33, "edges", dict(subsampling=2, quality=75, optimize=True)),
    "420_q95_face": (112, 112, "waves", dict(subsampling=2, quality=95)),
    "420_q100_noise": (19, 35, "noise", dict(subsampling=2, quality=100)),
    "420_restart": (50, 47, "waves", dict(subsampling=2, quality=80, restart_marker_blocks=1)),
    "420_restart_rows": (33, 65, "edges", dict(subsampling=2, quality=90, restart_marker_rows=1)),
    "420_1x1": (1, 1, "noise", dict(subsampling=2, quality=90)),
    "420_4x3": (4, 3, "noise", dict(subsampling=2, quality=90)),
    "420_5x2": (5, 2, "noise", dict(subsampling=2, quality=90)),
    "422_q30": (45, 38, "waves", dict(subsampling=1, quality=30)),
    "422_q90_optimised": (31, 17, "edges", dict(subsampling=1, quality=90, optimize=True)),
    "422_q100_noise": (34, 16, "noise", dict(subsampling=1, quality=100)),
    "422_restart": (64, 20, "waves", dict(subsampling=1, quality=85, restart_marker_blocks=3)),
    "422_3x9": (3, 9, "noise", dict(subsampling=1, quality=90)),
    "440_q30": (38, 45, "waves", dict(subsampling=1, quality=30)),
    "440_q90_edges": (17, 31, "edges", dict(subsampling=1, quality=90)),
    "440_q100_noise": (3, 34, "noise", dict(subsampling=1, quality=100)),
    "444_q20": (40, 40, "waves", dict(subsampling=0, quality=20)),
    "444_q90_odd": (23, 31, "edges", dict(subsampling=0, quality=90)),
    "444_q100_noise": (18, 18, "noise", dict(subsampling=0, quality=100, optimize=True)),
    "444_restart": (29, 26, "waves", dict(subsampling=0, quality=95, restart_marker_blocks=2)),
    "grey_q15": (36, 28, "waves", dict(quality=15)),
    "grey_q98_odd": (21, 13, "edges", dict(quality=98, optimize=True)),
    "grey_restart": (40, 19, "noise", dict(quality=70, restart_marker_rows=1)),
    "rgb_q85": (26, 21, "waves", dict(quality=85, keep_rgb=True)),
}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    known = {}
    for name, (width, height, kind, options) in CASES.items():
        turn = name.startswith("440")
        image = Image.fromarray(picture(*((height, width) if turn else (width, height)), kind))
        data = encoded(image.convert("L") if name.startswith("grey") else image, **options)
        data = turned(data) if turn else data
        decoded = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        assert decoded.shape == (height, width, 3), name
        with open(os.path.join(folder, name + ".jpg"), "wb") as file:
            file.write(data)
        known[name] = [width, height, hashlib.sha256(decoded.tobytes()).hexdigest()]
    with open(os.path.join(folder, "pixels.json"), "w") as file:
        file.write("{\n" + ",\n".join(f'  "{name}": {json.dumps(what)}' for name, what in known.items()) + "\n}\n")


main()
