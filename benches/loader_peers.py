"""Images a second of PyTorch's DataLoader with torchvision and of tf.data, on folders of 112x112 faces.

    loader_peers.py FOLDERS [WORKERS]

Prints a line for each of the two that is installed; the order of images is shuffled, pages of the disk are warm after
a first pass over the files. Compare with `cargo bench --bench loader -- FOLDERS` on the same machine at the same time.
"""

import glob
import os
import sys
import time

BATCH = 128


def report(name, images, started):
    print(f"{name:44} {images / (time.perf_counter() - started):10.0f} images/s", flush=True)


def torch_loader(folder, workers):
    import torch
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    torch.set_num_threads(1)
    steps = [transforms.ToTensor()]
    vary = [transforms.RandomHorizontalFlip(), transforms.ColorJitter(0.2, 0.2, 0.2)]
    for name, transform in (("decode", steps), ("decode + augment", vary + steps)):
        data = datasets.ImageFolder(folder, transforms.Compose(transform))
        loader = DataLoader(data, batch_size=BATCH, shuffle=True, num_workers=workers)
        started, images = time.perf_counter(), 0
        for batch, _ in loader:
            images += len(batch)
        report(f"PyTorch DataLoader, {workers} workers, {name}", images, started)


def tf_data(folder, workers):
    import tensorflow as tf

    paths = glob.glob(os.path.join(folder, "*", "*.jpg"))
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
            data = data.map(step, num_parallel_calls=workers)
        started, images = time.perf_counter(), 0
        for batch, _ in data.batch(BATCH).prefetch(4):
            images += int(batch.shape[0])
        report(f"tf.data, {workers} threads, {name}", images, started)


def main():
    folder = sys.argv[1]
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else os.cpu_count()
    for path in glob.glob(os.path.join(folder, "*", "*")):
        with open(path, "rb") as file:
            file.read()
    for measure in (torch_loader, tf_data):
        try:
            measure(folder, workers)
        except ImportError as error:
            print(f"{measure.__name__}: not measured, {error}")


main()
