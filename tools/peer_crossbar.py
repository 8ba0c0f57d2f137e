#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer of `ohmwise bench simulate`: the same conversions in PyTorch, vectorised, one thread.

72 word lines, 640 columns of two 2-bit cells, 4-bit inputs bit by bit, 5-bit converters over 0 .. 100.
A block of vectors is one matrix product of its bits with the cells; converter and shift-add are in
place. Products are tried in float32, in bfloat16 (whose sums of integers up to 256 are exact, and which
is faster where BLAS is a plain one), and with exact cells in PyTorch's 8-bit linear layer, whose
requantised output is the converter. The fastest product and block count. One JSON document on stdout.
"""
import argparse
import json
import sys
import time

ROWS, OUTPUTS, LINES, PLANES, VECTORS = 72, 640, 2, 4, 512
TOP, STEP = 31, 100 / 31
BLOCKS = (16, 64, 256)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()

    import torch  # late, so that --help needs none

    torch.set_num_threads(1)
    mask = (1 << 32) - 1

    # the numbers that bench_simulate.c makes; bits (V, planes, rows), cells digit by digit
    index = torch.arange(ROWS * OUTPUTS * LINES, dtype=torch.int64)
    cells = (((index * 2654435761) & mask) >> 13 & 3).reshape(ROWS, OUTPUTS, LINES).float()
    cells = cells.permute(0, 2, 1).reshape(ROWS, LINES * OUTPUTS).contiguous()
    hashed = (torch.arange(VECTORS * ROWS, dtype=torch.int64) * 2246822519) & mask
    codes = torch.where((hashed >> 16) % 10 < 4, torch.zeros_like(hashed), hashed >> 12 & 15)
    codes = codes.reshape(VECTORS, ROWS)
    bits = torch.stack([(codes >> p & 1) for p in range(PLANES)], 1).float()
    real = cells + 0.01 * (torch.rand_like(cells) * 3 - 1.5)
    active = bits.sum(2)

    def in_floats(kind, weights, noisy):
        """Converts a block with a product of floats."""
        inputs, weights = bits.to(kind), weights.to(kind)

        def block_codes(v, n):
            sums = (inputs[v:v + n].reshape(-1, ROWS) @ weights).float()
            if noisy:
                variance = sums.add(active[v:v + n].reshape(-1, 1)).mul_(0.01)
                sums.add_(variance.clamp_(min=0).sqrt_().mul_(torch.randn(sums.shape)))
            return sums.mul_(1 / STEP).round_().clamp_(0, TOP)
        return block_codes

    def in_bytes():
        """Converts a block with the 8-bit linear layer; its output's scale is the converter's step."""
        linear = torch.nn.quantized.Linear(ROWS, LINES * OUTPUTS, bias_=False)
        linear.set_weight_bias(torch.quantize_per_tensor(cells.t().contiguous(), 1.0, 0,
                                                         torch.qint8), None)
        linear.scale, linear.zero_point = STEP, 0
        inputs = torch.quantize_per_tensor(bits, 1.0, 0, torch.quint8)

        def block_codes(v, n):
            out = linear(inputs[v:v + n].reshape(-1, ROWS))
            return out.int_repr().clamp_(0, TOP).to(torch.int16)
        return block_codes

    def run(block_codes, block):
        """All vectors; returns the sum of all outputs."""
        total = 0
        for v in range(0, VECTORS, block):
            planes = block_codes(v, block).reshape(block, PLANES, LINES * OUTPUTS)
            lines = planes[:, 0]  # shift-add over the bits, then over the digits
            for p in range(1, PLANES):
                lines.add_(planes[:, p], alpha=1 << p)
            out = torch.add(lines[:, :OUTPUTS], lines[:, OUTPUTS:], alpha=4)
            total += int(out.sum(dtype=torch.int64 if out.dtype == torch.int16 else torch.float64))
        return total

    conversions = VECTORS * OUTPUTS * LINES * PLANES
    floats = (("float32", torch.float32), ("bfloat16", torch.bfloat16))
    ways = []
    for name, weights, noisy in (("exact", cells, False), ("real", real, False),
                                 ("noise", real, True)):
        products = [(kind, in_floats(number, weights, noisy)) for kind, number in floats]
        if name == "exact" and torch.backends.quantized.engine != "none":
            products.append(("8-bit linear", in_bytes()))
        least, best, checksum = None, None, None
        for kind, product in products:
            for block in BLOCKS:
                found = run(product, block)
                checksum = found if checksum is None else checksum
                if name == "exact" and found != checksum:
                    raise ArithmeticError(f"{kind} gives {found}, not {checksum}")
                for _ in range(arguments.repeats):
                    start = time.process_time()
                    run(product, block)
                    seconds = time.process_time() - start
                    if least is None or seconds < least:
                        least, best = seconds, f"{kind}, blocks of {block}"
        ways.append({"name": name, "step_s": least, "conversions_per_s": conversions / least,
                     "checksum": checksum, "best": best})
    json.dump({"schema": 1, "program": "pytorch " + torch.__version__, "threads": 1, "ways": ways},
              sys.stdout)
    print()


if __name__ == "__main__":
    main()
