#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/golden/step-*.safetensors: one whole training step in float32, by PyTorch.

Each file holds the state before the step, the gradients and the state after it, of one net:

    step-vgg        3x3 convolutions 8 8 M 16 16 M 16 16 M, linear 64 with bias, head
    step-resnet     stem 8, basic block 8, basic block 16 stride 2 with 1x1 shortcut, mean, head
    step-vgg8       the model vgg8 at width 1/32, as src/network/models.c builds it
    step-vgg16_bn   the model vgg16_bn at width 1/64, likewise
    step-resnet20   the model resnet20 at width 1/4, likewise

A step is: forward in training mode, mean cross-entropy, backward, SGD with Nesterov momentum and
weight decay on every parameter, from zero momentum:

    g = dw + decay w      v = g (first step)      w_after = w - lr (g + momentum v)

Tensors, all float32 but labels; K outputs, C inputs, layers numbered from 1 in the order in which
they are built (in a residual block the shortcut comes first):

    x            (6, 3, 16, 16)  images          labels  (6) int32
    logits       (6, 5)          loss    (1)
    conv<i>.w    (K, C, R, S)    linear<i>.w (K, inputs)       head.w (5, inputs)
    linear<i>.b  (K) where the layer has a bias                head.b (5)
    bn<i>.gamma  (K), bn<i>.beta (K) of the batch norm after layer i (eps 1e-5)
    <parameter>  with d before its last part is its gradient, with _after behind it its new value:
                 conv1.dw, conv1.w_after, bn1.dgamma, bn1.gamma_after, head.db, ...
    bn<i>.mean_after, bn<i>.variance_after  (K) running statistics after the step, from 0 and 1,
                 momentum 0.1, with the unbiased variance

The seeds are such that gradients computed in double differ by less than 3e-6 of the largest of the
same tensor, so that a step can be held to about 1e-4 in any order of summation.

The metadata of a file has model, width, lr, momentum, decay, batchnorm_momentum and the version of
PyTorch. Run without arguments from anywhere; the same PyTorch gives the same bytes.
"""

import json
import os
import struct
import sys

import torch
import torch.nn.functional as functional

BATCH, CLASSES, SIDE = 6, 5, 16
LR, MOMENTUM, DECAY, STATISTICS = 0.05, 0.9, 5e-4, 0.1


class Net:
    """Parameters by name, and a forward pass that makes them when it first meets them."""

    def __init__(self, width, seed):
        self.width = width
        self.random = torch.Generator().manual_seed(seed)
        self.parameters = {}
        self.statistics = {}
        self.n_layers = 0

    def channels(self, n):
        return int(n * self.width)

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.random)

    def parameter(self, name, make):
        if name not in self.parameters:
            self.parameters[name] = make().requires_grad_()
        return self.parameters[name]

    def layer(self, stem):
        self.n_layers += 1
        return f"{stem}{self.n_layers}"

    def conv(self, x, n, size, stride=1, pad=0):
        c, name = x.shape[1], self.layer("conv")
        scale = (2.0 / (c * size * size)) ** 0.5
        w = self.parameter(name + ".w", lambda: self.normal(n, c, size, size) * scale)
        return functional.conv2d(x, w, stride=stride, padding=pad)

    def linear(self, x, n, has_bias):
        x = x.flatten(1)
        c, name = x.shape[1], self.layer("linear")
        w = self.parameter(name + ".w", lambda: self.normal(n, c) * (2.0 / c) ** 0.5)
        b = self.parameter(name + ".b", lambda: 0.1 * self.normal(n)) if has_bias else None
        return functional.linear(x, w, b)

    def norm(self, x):
        # gamma and beta away from 1 and 0, so that a mistake in either shows
        name, k = f"bn{self.n_layers}", x.shape[1]
        gamma = self.parameter(name + ".gamma", lambda: 1.0 + 0.2 * self.normal(k))
        beta = self.parameter(name + ".beta", lambda: 0.2 * self.normal(k))
        mean, variance = torch.zeros(k), torch.ones(k)
        self.statistics[name + ".mean_after"] = mean
        self.statistics[name + ".variance_after"] = variance
        return functional.batch_norm(x, mean, variance, gamma, beta, True, STATISTICS, 1e-5)

    def head(self, x):
        x = x.flatten(1)
        c = x.shape[1]
        w = self.parameter("head.w", lambda: self.normal(CLASSES, c) * c**-0.5)
        b = self.parameter("head.b", lambda: 0.1 * self.normal(CLASSES))
        return functional.linear(x, w, b)

    # groups of layers

    def stack(self, x, channels):
        for n in channels:
            if n == 0:
                x = functional.max_pool2d(x, 2) if x.shape[2] >= 2 else x
            else:
                x = torch.relu(self.norm(self.conv(x, self.channels(n), 3, pad=1)))
        return x

    def block(self, x, n, stride):
        shortcut = x
        if stride != 1 or x.shape[1] != n:
            shortcut = self.norm(self.conv(x, n, 1, stride))
        y = torch.relu(self.norm(self.conv(x, n, 3, stride, 1)))
        return torch.relu(self.norm(self.conv(y, n, 3, pad=1)) + shortcut)


def vgg(net, x):
    x = net.stack(x, [8, 8, 0, 16, 16, 0, 16, 16, 0])
    return net.head(torch.relu(net.linear(x, 64, True)))


def resnet(net, x):
    x = torch.relu(net.norm(net.conv(x, 8, 3, pad=1)))
    x = net.block(net.block(x, 8, 1), 16, 2)
    return net.head(x.mean((2, 3)))


def vgg8(net, x):
    x = net.stack(x, [128, 128, 0, 256, 256, 0, 512, 512, 0])
    x = net.linear(x, net.channels(1024), False)
    return net.head(torch.relu(net.norm(x)))


def vgg16_bn(net, x):
    x = net.stack(x, [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0])
    x = torch.relu(net.linear(x, net.channels(4096), True))
    return net.head(torch.relu(net.linear(x, net.channels(4096), True)))


def resnet20(net, x):
    x = torch.relu(net.norm(net.conv(x, net.channels(16), 3, pad=1)))
    for stage, n in enumerate((16, 32, 64)):
        for i in range(3):
            x = net.block(x, net.channels(n), 2 if stage > 0 and i == 0 else 1)
    return net.head(x.mean((2, 3)))


NETS = [
    (vgg, 1.0, 11),
    (resnet, 1.0, 12),
    (vgg8, 1.0 / 32, 13),
    (vgg16_bn, 1.0 / 64, 17),
    (resnet20, 1.0 / 4, 15),
]


def step(forward, net):
    """One training step; returns all tensors of the file by name."""
    x = net.normal(BATCH, 3, SIDE, SIDE)
    labels = torch.randint(0, CLASSES, (BATCH,), generator=net.random)
    logits = forward(net, x)
    loss = functional.cross_entropy(logits, labels)
    loss.backward()
    tensors = {"x": x, "labels": labels.int(), "logits": logits, "loss": loss.reshape(1)}
    for name, value in net.parameters.items():
        place, part = name.split(".")
        tensors[name] = value.detach().clone()
        tensors[f"{place}.d{part}"] = value.grad.clone()
    optimiser = torch.optim.SGD(
        net.parameters.values(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY, nesterov=True
    )
    optimiser.step()
    for name, value in net.parameters.items():
        tensors[name + "_after"] = value
    tensors.update(net.statistics)
    return {name: value.detach().contiguous() for name, value in tensors.items()}


def save(path, tensors, metadata):
    """Safetensors: u64 length of the header, JSON header padded to 8 bytes, raw data."""
    header, blocks, offset = {"__metadata__": metadata}, [], 0
    for name, value in tensors.items():
        kind = {torch.float32: ("F32", "f"), torch.int32: ("I32", "i")}[value.dtype]
        values = value.flatten().tolist()
        block = struct.pack(f"<{len(values)}{kind[1]}", *values)
        header[name] = {
            "dtype": kind[0],
            "shape": list(value.shape),
            "data_offsets": [offset, offset + len(block)],
        }
        blocks.append(block)
        offset += len(block)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folder = os.path.join(root, "tests", "data", "golden")
    os.makedirs(folder, exist_ok=True)
    for forward, width, seed in NETS:
        net = Net(width, seed)
        tensors = step(forward, net)
        for name, value in tensors.items():
            if not torch.isfinite(value.float()).all():
                sys.exit(f"error: '{name}' of {forward.__name__} is not finite")
        path = os.path.join(folder, f"step-{forward.__name__}.safetensors")
        save(
            path,
            tensors,
            {
                "model": forward.__name__,
                "width": repr(width),
                "lr": repr(LR),
                "momentum": repr(MOMENTUM),
                "decay": repr(DECAY),
                "batchnorm_momentum": repr(STATISTICS),
                "made_with": f"PyTorch {torch.__version__}",
            },
        )
        print(f"{os.path.relpath(path, root)}: {len(tensors)} tensors, "
              f"{os.path.getsize(path)} bytes, loss {float(tensors['loss']):.6f}")


if __name__ == "__main__":
    main()
