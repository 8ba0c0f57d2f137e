#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the table of src/crossbar/noise_draw.c: normal numbers from uniform ones, piece by piece.

With f = 1, 3, 5 .. 2^31 - 1 and u = f / 2^31, |z| is the quantile that a normal number exceeds, in size,
with probability u: |z| = sqrt(2) erfcinv(u). Piece k covers 2^k <= f < 2^(k + 1) by a polynomial in
m = f / 2^k, interpolated at Chebyshev's nodes; it stands at place (k - 1) mod 32, which is what the exponent
of f as a float gives. Place 30 is u = 1, where z = 0. Needs numpy and scipy; prints the largest error too.
"""
import numpy
from scipy.special import erfcinv

DEGREE, PIECES = 4, 31


def quantile(k, m):
    return numpy.sqrt(2.0) * erfcinv(m * 2.0 ** (k - PIECES))


def main():
    table = numpy.zeros((DEGREE + 1, 32), numpy.float32)
    worst = 0.0
    nodes = 1.5 + 0.5 * numpy.cos(numpy.pi * (numpy.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
    check = numpy.linspace(1.0, 2.0, 4001)
    for k in range(PIECES):
        fit = numpy.polynomial.polynomial.polyfit(nodes, quantile(k, nodes), DEGREE)
        table[:, (k - 1) % 32] = fit.astype(numpy.float32)
        found = numpy.polynomial.polynomial.polyval(check, table[:, (k - 1) % 32].astype(float))
        worst = max(worst, float(numpy.abs(found - quantile(k, check)).max()))
    for row in table:
        print("    {")
        for start in range(0, 32, 4):
            print("        " + " ".join(f"{value:.9g}f," if "." in f"{value:.9g}" or "e" in f"{value:.9g}"
                                        else f"{value:.9g}.0f," for value in row[start:start + 4]))
        print("    },")
    print(f"// largest error {worst:.2g}")


if __name__ == "__main__":
    main()
