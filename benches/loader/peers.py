"""Images a second of PyTorch's DataLoader with torchvision and of tf.data, on folders of 112x112 JPEG faces.

    peers.py FOLDERS [torch] [tf]

Prints a line a case, of the frameworks named, else of both: on one core and on all, the second of two epochs over at
most 20,000 shuffled images, so that worker processes run and pages are warm. PyTorch decodes with Pillow, as ImageFolder
does by itself, and with torchvision.io, the faster way. tf.data does what the reference's data.py does: read, decode,
convert, the tf.image operations of its random_status 3. Compare with `cargo bench --profile dev --bench loader -- FOLDERS`
on the same machine; that program loads the same files.

    pip install torch==2.11.0 torchvision==0.26.0 tensorflow
"""

import glob
import os
import random
import sys
import time

BATCH = 128
MOST = 20_000
ALL = sorted(os.sched_getaffinity(0))


def epoch_rate(batches):
    """Images a second of the second epoch; `batches` gives an epoch's sizes of batches."""
    for _ in batches():
        pass
    started = time.perf_counter()
    images = sum(batches())
    return images / (time.perf_counter() - started)


def report(name, cores, rate):
    print(f"{name:44} {cores} cores {rate:9.0f} images/s", flush=True)


def torch_loader(folder, cores):
    import torch
    from torch.utils.data import DataLoader, Subset
    from torchvision import datasets, io
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    vary = [v2.RandomHorizontalFlip(), v2.ColorJitter(0.2, 0.2, 0.2), v2.RandomCrop(100), v2.Resize(112)]

    def direct(path):
        return io.decode_image(io.read_file(path), io.ImageReadMode.RGB)

    for how, loader, steps in (("Pillow", None, [v2.PILToTensor()]), ("torchvision.io", direct, [])):
        for name, more in (("decode", []), ("decode + augment", [*vary, v2.ToDtype(torch.float32, scale=True)])):
            options = {"loader": loader} if loader else {}
            transform = v2.Compose([*steps, *more] or [v2.Identity()])
            data = datasets.ImageFolder(folder, transform, **options)
            data = Subset(data, random.sample(range(len(data)), min(MOST, len(data))))
            batches = DataLoader(data, BATCH, shuffle=True, num_workers=cores, persistent_workers=True)
            rate = epoch_rate(lambda: (len(images) for images, _ in batches))
            report(f"PyTorch DataLoader, {how}, {name}", cores, rate)


def tf_data(folder, cores):
    import tensorflow as tf

    paths = glob.glob(os.path.join(folder, "*", "*.jpg"))
    paths = random.sample(paths, min(MOST, len(paths)))
    labels = [int(os.path.basename(os.path.dirname(path))) for path in paths]

    def decode(path, label):
        image = tf.image.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.convert_image_dtype(image, tf.float32), label

    def vary(image, label):
        image = tf.image.random_flip_left_right(tf.image.random_brightness(image, 0.2))
        image = tf.image.random_saturation(tf.image.random_contrast(image, 0.8, 1.2), 0.8, 1.2)
        return tf.image.resize(tf.image.random_crop(image, [100, 100, 3]), [112, 112]), label

    for name, steps in (("decode", [decode]), ("decode + augment", [decode, vary])):
        data = tf.data.Dataset.from_tensor_slices((paths, labels)).shuffle(len(paths))
        for step in steps:
            data = data.map(step, num_parallel_calls=cores)
        data = data.batch(BATCH).prefetch(tf.data.AUTOTUNE)
        report(f"tf.data, {name}", cores, epoch_rate(lambda: (int(images.shape[0]) for images, _ in data)))


def main():
    folder = sys.argv[1]
    wanted = sys.argv[2:] or ["torch", "tf"]
    for path in glob.glob(os.path.join(folder, "*", "*")):
        with open(path, "rb") as file:
            file.read()
    for name, measure in (("torch", torch_loader), ("tf", tf_data)):
        for cores in sorted({1, len(ALL)}) if name in wanted else ():
            # A process of its own: TensorFlow counts the cores once.
            if (child := os.fork()) == 0:
                os.sched_setaffinity(0, ALL[:cores])
                try:
                    measure(folder, cores)
                except ImportError as error:
                    print(f"{name}: not measured, {error}", flush=True)
                os._exit(0)
            os.waitpid(child, 0)


main()
