# SPDX-License-Identifier: Apache-2.0
"""Makes the tiny data set of the tests of the command line: four classes of 8 x 8 pictures, told
apart by which quarter is bright.

    python3 tiny_set.py FOLDER [TRAIN_IMAGES]
"""
import os
import random
import struct
import sys

folder = sys.argv[1]
n_train = int(sys.argv[2]) if len(sys.argv) > 2 else 160
os.makedirs(folder)
random.seed(1)


def npy(name, shape, kind, data):
    header = repr({"descr": kind, "fortran_order": False, "shape": shape})
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(os.path.join(folder, name), "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


for part, n in (("train", n_train), ("test", 80)):
    pixels, labels = bytearray(), bytearray()
    for i in range(n):
        label = i % 4
        labels.append(label)
        for y in range(8):
            for x in range(8):
                bright = (y // 4) * 2 + x // 4 == label
                pixels.append((170 if bright else 30) + random.randrange(60))
    npy(part + "_images.npy", (n, 8, 8, 1), "|u1", bytes(pixels))
    npy(part + "_labels.npy", (n,), "|u1", bytes(labels))
