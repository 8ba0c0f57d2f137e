# SPDX-License-Identifier: Apache-2.0
"""Arrays for the tests of the command line, without NumPy: lists of rows to and from .npy files."""
import ast
import struct


def save(path, rows, letter="d", shape=None):
    """rows: a list of lists, or of numbers; letter: of struct, d f or q."""
    two = isinstance(rows[0], (list, tuple))
    flat = [x for row in rows for x in row] if two else list(rows)
    if shape is None:
        shape = (len(rows), len(rows[0])) if two else (len(rows),)
    kind = {"d": "<f8", "f": "<f4", "q": "<i8"}[letter]
    head = str({"descr": kind, "fortran_order": False, "shape": tuple(shape)})
    head = head.ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        file.write(struct.pack("<%d%s" % (len(flat), letter), *flat))


def load(path):
    """Returns (shape, flat list of float64)."""
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<H", data[8:10])[0]
    head = ast.literal_eval(data[10:10 + size].decode())
    assert head["descr"] == "<f8" and not head["fortran_order"]
    return head["shape"], list(struct.unpack("<%dd" % ((len(data) - 10 - size) // 8),
                                             data[10 + size:]))
