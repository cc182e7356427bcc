"""Takes a `_hist.json` apart as the reference's `hist_plot_split` does: hist_check.py HISTORY.json SPLITS.json OUT.json

SPLITS.json: {"<name>": [start, end], ...}, epochs as the reference's README gives them, -1 for the last. OUT.json: for
each split the losses, the accuracies, and every bin's accuracies that would be drawn, and the epochs they start at.
"""
import json
import math
import sys

history_file, splits_file, out = sys.argv[1:]
with open(history_file) as file:
    history = json.load(file)
with open(splits_file) as file:
    splits = json.load(file)

assert isinstance(history, dict) and {"loss", "lr"} <= set(history), list(history)
for name, values in history.items():
    assert isinstance(values, list) and all(isinstance(value, float) for value in values), name
bins = [name for name in history if name not in ("loss", "accuracy", "lr")]
epochs = len(history["loss"])
for name in ["lr", *bins]:
    assert len(history[name]) == epochs, (name, len(history[name]), epochs)
assert len(history.get("accuracy", [])) <= epochs
assert all(0 <= value <= 1 for name in ["accuracy", *bins] for value in history.get(name, []) if not math.isnan(value))

drawn = {}
for name, (start, end) in splits.items():
    part = slice(start, None if end == -1 else end)
    drawn[name] = {
        "start": start,
        "loss": history["loss"][part],
        "accuracy": history.get("accuracy", [])[part],
        "bins": {bin: history[bin][part] for bin in bins},
    }
with open(out, "w") as file:
    json.dump(drawn, file)
