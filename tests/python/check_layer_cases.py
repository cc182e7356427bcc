"""Opens files that facetui wrote of the layer cases with tf_keras and Keras 3 and compares outputs and regularisation.

    check_layer_cases.py CASES WRITTEN

CASES holds <keras>.npz (see make_layer_cases.py), WRITTEN the files <keras>_<name>.h5. Ends with 1 and a list when one fails.
"""
import glob
import os
import sys
import warnings

import keras
import numpy as np
import tf_keras

warnings.filterwarnings("ignore")
cases, written = sys.argv[1:]
arrays = {name: np.load(os.path.join(cases, f"{name}.npz")) for name in ("tf_keras", "keras3")}
wrong = []
files = sorted(glob.glob(os.path.join(written, "*.h5")))
for path in files:
    case = os.path.basename(path)[:-3]
    writer = "keras3" if case.startswith("keras3_") else "tf_keras"
    name = case[len(writer) + 1 :]
    x, y = arrays[writer][f"{name}/x"], arrays[writer][f"{name}/y"]
    for opener, package in (("tf_keras", tf_keras), ("keras3", keras)):
        try:
            model = package.models.load_model(path, compile=False)
            ours = np.asarray(model(x, training=False))
            error = np.max(np.abs(ours - y) / np.maximum(np.abs(y), 1)) if ours.shape == y.shape else np.inf
            if error > 1e-4:
                wrong.append(f"{case} in {opener}: off by {error}")
            if f"{name}/loss" in arrays[writer]:
                loss = sum(float(loss) for loss in model.losses)
                wanted = float(arrays[writer][f"{name}/loss"])
                if abs(loss / wanted - 1) > 1e-5:
                    wrong.append(f"{case} in {opener}: regularisation {loss}, was {wanted}")
        except Exception as problem:
            wrong.append(f"{case} in {opener}: {type(problem).__name__} {str(problem)[:300]}")
assert len(files) > 100, "the files are not there"
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
