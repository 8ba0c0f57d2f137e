#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer of `ohmwise bench wires`: the same arrays by sparse LU in SciPy (SuperLU), as the tools of
this field solve them. Processor seconds of one thread; building the matrix is not timed.

    peer_wires.py --size N --repeats R [--effective]

One JSON document: vector_s = factors and the currents of one vector, effective_s = factors and one
solve a column (only with --effective), current_a = sum of the currents with 0.2 V at every row, to be
compared.
"""
import argparse
import json
import os
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import scipy
import scipy.sparse as sparse
import scipy.sparse.linalg as linalg

WIRE_OHM = 1.0  # every segment, source and sense too


def cells(n):
    """The conductances of the benchmark, siemens."""
    out, x = np.empty(n * n), 1
    for k in range(n * n):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out[k] = 1e-6 + 1e-4 * ((x >> 8) / 16777216.0)
    return out.reshape(n, n)


def nodal_matrix(g):
    """Word node of cell (i, j): i n + j; its bit node n n further."""
    n = g.shape[0]
    chain = sparse.diags([2.0 * np.ones(n), -np.ones(n - 1), -np.ones(n - 1)], [0, 1, -1]).tolil()
    chain[n - 1, n - 1] = 1.0
    far_end_last = sparse.csr_matrix(chain) / WIRE_OHM
    far_end_first = sparse.csr_matrix(chain[::-1, ::-1]) / WIRE_OHM
    one = sparse.identity(n)
    d = sparse.diags(g.ravel())
    word = sparse.kron(one, far_end_last) + d
    bit = sparse.kron(far_end_first, one) + d
    return sparse.bmat([[word, -d], [-d, bit]]).tocsc()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--effective", action="store_true")
    given = parser.parse_args()
    n = given.size
    matrix = nodal_matrix(cells(n))
    source = np.zeros(2 * n * n)
    source[np.arange(n) * n] = 0.2 / WIRE_OHM
    sense = n * n + (n - 1) * n + np.arange(n)
    vector, effective = [], []
    for _ in range(given.repeats):
        start = time.process_time()
        factors = linalg.splu(matrix, permc_spec="MMD_AT_PLUS_A",
                              options={"SymmetricMode": True, "DiagPivotThresh": 0.0})
        current = factors.solve(source)[sense] / WIRE_OHM
        vector.append(time.process_time() - start)
        if given.effective:
            for column in sense:
                unit = np.zeros(2 * n * n)
                unit[column] = 1.0 / WIRE_OHM
                factors.solve(unit)
            effective.append(time.process_time() - start)
    print(json.dumps({"peers": [{
        "name": "SciPy splu", "version": scipy.__version__, "vector_s": min(vector),
        "effective_s": min(effective) if effective else None, "current_a": float(current.sum())}]}))


if __name__ == "__main__":
    main()
