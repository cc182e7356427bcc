#!/usr/bin/env python3
"""Checks and times facetui on a machine with a GPU and PyTorch 2.11, in at most 8 minutes, without a network.

    gpu_check.py FACETUI [--json FOLDER] [--seconds S] [--cpu]

FACETUI is a release binary, copied from the machine that built it (`cargo xtask gpu-check --bundle DIR` puts both side by side);
libtorch is that of the Python that runs this script. It prints (1) whether the GPU computes what the CPU computes, (2) training steps of
facetui and of peer_torch.py in the same run, with peak memory, (3) training from JPEGs, with the share of the time that was waited
for them. Without a GPU everything runs on the CPU with small sizes, and what only a GPU exercises is listed.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import torch

HERE = pathlib.Path(__file__).resolve().parent
LEFT_OUT = [
    "loading libtorch_cuda.so beside the CPU's libraries, and every kernel of it",
    "bf16 on tensor cores, cuDNN's choice of algorithms, TF32",
    "copies of batches to the device, and steps that are queued without a wait",
    "ranges of a head's outputs of 256 MiB, and blocks of the optimiser of 64 million weights",
    "peak memory of a GPU (peer_torch.py reports its own; facetui's is read from nvidia-smi)",
    "torch.compile's kernels for GPUs",
    "the check that embeddings, losses, gradients and ten steps of a GPU are those of the CPU: here the CPU is compared with itself",
]


def schedule(folder, backbone, batch, device, precision, data):
    path = folder / f"{backbone}.yaml"
    path.write_text(
        f"name: check\nmodel: {{backbone: {backbone}, embedding: 256, dropout: 0.4}}\ndata: {{train: {data}, bins: [], augment: 1}}\n"
        f"batch_size: {batch}\nlearning_rate: 0.01\nprecision: {precision}\ndevice: {device}\n"
        "stages: [{loss: arcface, optimizer: {sgd: {momentum: 0.9}}, epochs: 1}]\n"
    )
    return path


class Sampler:
    """The most memory of a GPU that one process holds, asked of nvidia-smi while it runs."""

    def __init__(self, process):
        self.process, self.most = process, 0

    def wait(self):
        while self.process.poll() is None:
            try:
                text = subprocess.run(
                    ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=5
                ).stdout
                for line in text.splitlines():
                    pid, _, used = line.partition(",")
                    if pid.strip() == str(self.process.pid) and used.strip().isdigit():
                        self.most = max(self.most, int(used) << 20)
            except (OSError, subprocess.TimeoutExpired):
                pass
            time.sleep(0.3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facetui", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path, metavar="FOLDER", help="also write the figures there")
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--cpu", action="store_true", help="leave a GPU alone")
    options = parser.parse_args()
    gpu = torch.cuda.is_available() and not options.cpu
    device, precision = ("cuda", "bf16") if gpu else ("cpu", "fp32")
    batch, classes, seconds = (512, 85742, options.seconds or 12) if gpu else (8, 2000, options.seconds or 2)
    libraries = pathlib.Path(torch.__file__).parent / "lib"
    environment = dict(os.environ, LD_LIBRARY_PATH=f"{libraries}:{os.environ.get('LD_LIBRARY_PATH', '')}")
    began = time.monotonic()
    failures = []

    def facetui(*arguments, sample=False):
        command = [str(options.facetui.resolve()), *map(str, arguments)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        most = 0
        if sample and gpu:
            sampler = Sampler(process)
            sampler.wait()
            most = sampler.most
        out, errors = process.communicate()
        if process.returncode:
            failures.append(f"facetui {' '.join(map(str, arguments))}: exit code {process.returncode}\n{errors.strip()}")
        return out, most

    def parsed(out):
        try:
            return json.loads(out.strip().splitlines()[-1])
        except (IndexError, ValueError):
            return None

    result = {"device": torch.cuda.get_device_name() if gpu else "cpu", "torch": torch.__version__, "steps": []}
    print(f"facetui on {result['device']}, with the libtorch of PyTorch {torch.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        data = folder / "faces"
        nets = ["mobilefacenet", "resnet50v2"]
        paths = {net: schedule(folder, net, batch, device, precision, data / "faces_112x112_folders") for net in nets}

        print("\n1. Does it compute what the CPU computes?" if gpu else "\n1. The CPU with itself (no GPU)", flush=True)
        out, _ = facetui("bench", paths["mobilefacenet"], "--agreement", "--json", *([] if gpu else ["--set", "model.width=0.25"]))
        result["agreement"] = parsed(out) or []
        for line in result["agreement"]:
            verdict = "agrees" if line["agrees"] else "DIFFERS"
            print(f"   {line['what']:<44} {verdict:<8} {line['difference']:.1e} (allowed {line['allowed']:.0e})")

        print(f"\n2. Training steps: batch {batch}, {classes} classes, {precision}, synthetic images", flush=True)
        print(f"   {'network':<14} {'program':<16} {'images/s':>10} {'ms':>9} {'peak MiB':>9}", flush=True)

        def row(net, program, rate, milliseconds, peak):
            result["steps"].append(
                {"net": net, "program": program, "images_per_second": rate, "milliseconds": milliseconds, "peak_memory": peak}
            )
            print(f"   {net:<14} {program:<16} {rate:>10.1f} {milliseconds:>9.1f} {peak >> 20:>9}", flush=True)

        for net in nets:
            arguments = ["bench", paths[net], "--classes", classes, "--seconds", seconds, "--json"]
            out, most = facetui(*arguments, sample=True)
            measured = parsed(out)
            if measured:
                step = measured["step"]
                row(net, "facetui", step["images_per_second"], step["milliseconds"], most or measured["peak_memory"])
                rate = measured["evaluation"]["images_per_second"]
                result.setdefault("evaluation", {})[net] = rate
            for variant in ["eager", "compile"]:
                command = [sys.executable, HERE / "peer_torch.py", "--net", net, "--device", device, "--batch", batch, "--classes", classes]
                command += ["--precision", precision, "--seconds", seconds, "--variants", variant]
                try:
                    peer = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=150)
                    found = parsed(peer.stdout)
                except subprocess.TimeoutExpired:
                    found, peer = None, None
                if found:
                    row(net, found["peer"], found["images_per_second"], found["milliseconds"], found["peak_memory"])
                else:
                    last = peer.stderr.strip().splitlines()[-1:] if peer else ["took more than 150 s"]
                    print(f"   {net:<14} torch {variant:<10} {'':>10} not measured: {' '.join(last)}", flush=True)

        print("\n3. From JPEGs on the disk", flush=True)
        facetui("synth", data, "--identities", 200 if gpu else 8, "--images", 40 if gpu else 8)
        out, _ = facetui("bench", paths["mobilefacenet"], "--only", "step", "--only", "files", "--seconds", seconds, "--json")
        measured = parsed(out)
        if measured:
            result["files"] = measured["files"]
            share = measured["files"]["images_per_second"] / measured["step"]["images_per_second"]
            print(
                f"   {measured['files']['images_per_second']:.1f} images/s, {share:.1%} of the synthetic rate, "
                f"{measured['files']['waited']:.1%} of the time waiting for images"
            )
    if not gpu:
        result["not_exercised"] = LEFT_OUT
        print("\nNot exercised without a GPU:")
        for line in LEFT_OUT:
            print(f"   - {line}")
    result["seconds"] = round(time.monotonic() - began, 1)
    result["failures"] = failures
    if options.json:
        options.json.mkdir(parents=True, exist_ok=True)
        (options.json / "gpu-check.json").write_text(json.dumps(result, indent=1))
    for failure in failures:
        print(f"\nfailed: {failure}", file=sys.stderr)
    print(f"\n{'FAILED' if failures else 'done'} in {result['seconds']:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
