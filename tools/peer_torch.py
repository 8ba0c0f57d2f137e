#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer of `ohmwise bench train` and `bench inference`: the same network in PyTorch.

The network is VGG16-BN as the CIFAR-100 experiments of continual learning use it: 3x3 convolutions
64,64,M,128,128,M,256x3,M,512x3,M,512x3,M without bias, each with batch norm and ReLU, then
512 -> 4096 -> 4096 with ReLU and a head 4096 -> 5; widths are multiplied by sqrt(expand) and cut to
whole numbers (1.5: 78, 156, 313, 627, 5016). SGD with Nesterov momentum, softmax cross-entropy.

ResNet-18 and -50 (training only) are those of He et al., CVPR 2016, widths multiplied likewise: a 7x7
stem with a pool, or a 3x3 stem for images up to 64 pixels; ResNet-50 halves a map in its 3x3 convolution.

Training: one dense step. Four ways are timed, in turn, so that a busy machine slows all of them
alike: float32 and bfloat16 autocast, in channels-first and channels-last memory.
Inference (--task inference): the forward pass of a batch, batch norm folded into the convolutions; the
same four ways, and 8-bit networks by each engine for them that this PyTorch has.
One JSON document on stdout.
"""
import argparse
import json
import math
import os
import resource
import statistics
import sys
import time
import warnings

PLAN = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")
HIDDEN = 4096
N_CLASSES = 5
WAYS = (
    ("float32 channels-first", False, False),
    ("float32 channels-last", False, True),
    ("bfloat16 channels-first", True, False),
    ("bfloat16 channels-last", True, True),
)


def vgg16_bn(torch, expand):
    """Builds the network as a torch.nn.Sequential."""
    nn = torch.nn
    factor = math.sqrt(expand)
    layers, channels = [], 3
    for width in PLAN:
        if width == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        width = int(width * factor)
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
                   nn.ReLU(inplace=True)]
        channels = width
    hidden = int(HIDDEN * factor)
    layers += [nn.Flatten(), nn.Linear(channels, hidden), nn.ReLU(inplace=True),
               nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, N_CLASSES)]
    return nn.Sequential(*layers)


def residual(torch, model, expand, side):
    """Builds a residual network; PyTorch's names and shapes, as torchvision has them."""
    nn = torch.nn
    factor = math.sqrt(expand)
    is_deep = model == "resnet50"

    def conv(inputs, outputs, size, stride=1):
        return [nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
                nn.BatchNorm2d(outputs)]

    class Block(nn.Module):
        def __init__(self, inputs, width, outputs, stride):
            super().__init__()
            relu = nn.ReLU(inplace=True)
            if is_deep:
                layers = [*conv(inputs, width, 1), relu, *conv(width, width, 3, stride), relu,
                          *conv(width, outputs, 1)]
            else:
                layers = [*conv(inputs, width, 3, stride), relu, *conv(width, outputs, 3)]
            self.body = nn.Sequential(*layers)
            same = stride == 1 and inputs == outputs
            self.shortcut = nn.Identity() if same else nn.Sequential(*conv(inputs, outputs, 1,
                                                                           stride))

        def forward(self, x):
            return torch.relu(self.body(x) + self.shortcut(x))

    channels = int(64 * factor)
    layers = conv(3, channels, 7, 2) if side > 64 else conv(3, channels, 3)
    layers.append(nn.ReLU(inplace=True))
    if side > 64:
        layers.append(nn.MaxPool2d(3, 2, 1))
    for stage, count in enumerate((3, 4, 6, 3) if is_deep else (2, 2, 2, 2)):
        width = int((64 << stage) * factor)
        outputs = int((4 * (64 << stage) if is_deep else 64 << stage) * factor)
        for block in range(count):
            layers.append(Block(channels, width, outputs, 2 if stage > 0 and block == 0 else 1))
            channels = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, N_CLASSES)]
    return nn.Sequential(*layers)


def peak_rss_bytes():
    """The most memory this process ever held. getrusage would count the process that started it."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Trainer:
    """One way to train: its own copy of the network, optimiser and batch."""

    def __init__(self, torch, name, arguments, bfloat16, channels_last):
        torch.manual_seed(1)
        memory = torch.channels_last if channels_last else torch.contiguous_format
        self.torch, self.name, self.bfloat16 = torch, name, bfloat16
        model, expand, side = arguments.model, arguments.expand, arguments.image_size
        network = (vgg16_bn(torch, expand) if model == "vgg16_bn"
                   else residual(torch, model, expand, side))
        self.model = network.to(memory_format=memory).train()
        self.optimiser = torch.optim.SGD(self.model.parameters(), lr=1e-2, momentum=0.9,
                                         weight_decay=4e-5, nesterov=True)
        self.parameters = sum(p.numel() for p in self.model.parameters())
        batch = arguments.batch
        self.images = torch.randn(batch, 3, side, side).to(memory_format=memory)
        self.labels = torch.randint(0, N_CLASSES, (batch,))
        self.seconds = []

    def step(self):
        """One training step; returns its seconds."""
        torch = self.torch
        start = time.perf_counter()
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            logits = self.model(self.images)
        loss = torch.nn.functional.cross_entropy(logits.float(), self.labels)
        loss.backward()
        self.optimiser.step()
        if not math.isfinite(float(loss)):
            raise ArithmeticError(f"{self.name}: the loss is {float(loss)}")
        return time.perf_counter() - start


class Answerer:
    """One way to infer: its own copy of the network with batch norm folded into the convolutions."""

    def __init__(self, torch, name, expand, batch, bfloat16, channels_last):
        torch.manual_seed(1)
        memory = torch.channels_last if channels_last else torch.contiguous_format
        self.torch, self.name, self.bfloat16 = torch, name, bfloat16
        model = vgg16_bn(torch, expand).eval()
        groups = [[str(i), str(i + 1)] for i, layer in enumerate(model)
                  if isinstance(layer, torch.nn.Conv2d)]
        self.model = torch.quantization.fuse_modules(model, groups).to(memory_format=memory)
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.images = torch.randn(batch, 3, 32, 32).to(memory_format=memory)
        self.seconds = []

    def step(self):
        """The forward pass of one batch; returns its seconds."""
        torch = self.torch
        start = time.perf_counter()
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            logits = self.model(self.images)
        if not math.isfinite(float(logits.float().sum())):
            raise ArithmeticError(f"{self.name}: the logits are not finite")
        return time.perf_counter() - start


class QuantisedAnswerer(Answerer):
    """8-bit weights and activations by one of PyTorch's engines, ranges from one batch."""

    def __init__(self, torch, engine, expand, batch):
        torch.manual_seed(1)
        quantization = torch.quantization
        torch.backends.quantized.engine = engine
        self.torch, self.name, self.bfloat16 = torch, "int8 " + engine, False
        self.engine = engine
        layers = list(vgg16_bn(torch, expand))
        stub = [quantization.QuantStub(), *layers, quantization.DeQuantStub()]
        model = torch.nn.Sequential(*stub).eval()
        self.parameters = sum(p.numel() for p in model.parameters())
        groups = []
        for i, layer in enumerate(model):
            if isinstance(layer, torch.nn.Conv2d):
                groups.append([str(i), str(i + 1), str(i + 2)])
            elif isinstance(layer, torch.nn.Linear) and isinstance(model[i + 1], torch.nn.ReLU):
                groups.append([str(i), str(i + 1)])
        model = quantization.fuse_modules(model, groups)
        model.qconfig = quantization.get_default_qconfig(engine)
        quantization.prepare(model, inplace=True)
        self.images = torch.randn(batch, 3, 32, 32)
        with torch.no_grad():
            model(self.images[:4])
        self.model = quantization.convert(model)
        self.seconds = []

    def step(self):
        self.torch.backends.quantized.engine = self.engine
        return super().step()


def make_answerers(torch, arguments):
    """All ways to infer that this PyTorch can run."""
    ways = [Answerer(torch, name, arguments.expand, arguments.batch, bfloat16, channels_last)
            for name, bfloat16, channels_last in WAYS if arguments.way in (None, name)]
    for engine in torch.backends.quantized.supported_engines:
        if engine == "none" or arguments.way not in (None, "int8 " + engine):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                way = QuantisedAnswerer(torch, engine, arguments.expand, arguments.batch)
                way.step()
        except RuntimeError as error:
            print(f"the engine {engine} does not run here: {str(error).splitlines()[0]}",
                  file=sys.stderr)
            continue
        ways.append(way)
    return ways


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--task", default="train", choices=["train", "inference"])
    parser.add_argument("--model", default="vgg16_bn", choices=["vgg16_bn", "resnet18", "resnet50"])
    parser.add_argument("--image-size", type=int, default=32, help="pixels")
    parser.add_argument("--expand", type=float, default=1.5, help="factor on the parameters")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5, help="timed steps; the median counts")
    parser.add_argument("--way", help="only this way")
    parser.add_argument("--threads", type=int, default=0, help="0 = the CPUs of this process")
    arguments = parser.parse_args()
    if arguments.batch < 2 or arguments.repeats < 1 or not 0 < arguments.expand <= 16:
        parser.error("--batch needs 2 or more, --repeats 1 or more, --expand 0 to 16")
    is_small = arguments.model == "vgg16_bn" and arguments.image_size == 32
    if not is_small and (arguments.model == "vgg16_bn" or arguments.task == "inference"):
        parser.error("vgg16_bn takes 32 pixels, and inference is of vgg16_bn")

    import torch  # late, so that --help needs none

    threads = arguments.threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    if arguments.task == "inference":
        trainers = make_answerers(torch, arguments)
    else:
        trainers = [Trainer(torch, name, arguments, bfloat16, channels_last)
                    for name, bfloat16, channels_last in WAYS if arguments.way in (None, name)]
    if not trainers:
        parser.error(f"no way '{arguments.way}' here")

    # two steps each to warm up, then the ways in turn
    for trainer in trainers:
        trainer.step()
        trainer.step()
    for _ in range(arguments.repeats):
        for trainer in trainers:
            trainer.seconds.append(trainer.step())

    ways = [{"name": trainer.name, "step_s": statistics.median(trainer.seconds),
             "step_min_s": min(trainer.seconds),
             "images_per_s": arguments.batch / statistics.median(trainer.seconds)}
            for trainer in trainers]
    document = {
        "schema": 1,
        "program": "pytorch " + torch.__version__,
        "model": arguments.model,
        "expand": arguments.expand,
        "batch": arguments.batch,
        "threads": torch.get_num_threads(),
        "repeats": arguments.repeats,
        "parameters": trainers[0].parameters,
        "ways": ways,
        "best_step_s": min(way["step_s"] for way in ways),
        "best_way": min(ways, key=lambda way: way["step_s"])["name"],
        # of all ways together; --way gives one way's own
        "peak_rss_bytes": peak_rss_bytes(),
    }
    json.dump(document, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
