#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/golden/import-*: small networks by PyTorch, as others hand them over, with what
they answer.

    import-MODEL.safetensors       the state_dict, named and shaped as torchvision's MODEL is
    import-MODEL.onnx              the same network, exported by torch.onnx (where MODEL has one)
    import-keras/model.json, *.bin a Keras layers model of resnet50_v1, as TensorFlow.js stores it:
                                   (H, W, C, K) filters, biases before batch norm, epsilon 1.001e-5
    import-MODEL-answers.safetensors   x (2, 3, side, side) and logits (2, 7), computed in double

Models, each with its channels scaled down: vgg16_bn x 1/64 with the 7 x 7 pool of torchvision on 32 x
32 pixels, resnet18 x 1/16 on 32 x 32 pixels (3 x 3 stem, no pool), resnet50 x 1/32 on 72 x 72
pixels (7 x 7 stem), resnet50_v1 likewise.

Batch norm's statistics are those of the random images, moved a little, so that no layer's answers
vanish. Run without arguments from anywhere; the same PyTorch gives the same bytes.
"""

import json
import os
import struct
import sys

import torch
from torch import nn

CLASSES, IMAGES = 7, 2
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "data", "golden")


class Block(nn.Module):
    """A residual block, basic or bottleneck; first: the stride is in its first convolution."""

    def __init__(self, inputs, n, stride, is_bottleneck, first):
        super().__init__()
        out = 4 * n if is_bottleneck else n
        strides = (stride, 1, 1) if first else ((1, stride, 1) if is_bottleneck else (stride, 1))
        sizes = (1, 3, 1) if is_bottleneck else (3, 3)
        widths = (n, n, out) if is_bottleneck else (n, n)
        c = inputs
        self.n = len(sizes)
        for i in range(self.n):
            conv = nn.Conv2d(c, widths[i], sizes[i], strides[i], sizes[i] // 2, bias=False)
            setattr(self, f"conv{i + 1}", conv)
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(widths[i]))
            c = widths[i]
        self.downsample = None
        if stride != 1 or inputs != out:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, out, 1, stride, bias=False),
                                            nn.BatchNorm2d(out))

    def forward(self, x):
        y = x
        for i in range(self.n):
            y = getattr(self, f"bn{i + 1}")(getattr(self, f"conv{i + 1}")(y))
            y = torch.relu(y) if i + 1 < self.n else y
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, width, blocks, is_bottleneck, is_large, first=False):
        super().__init__()
        stem = width
        self.is_large = is_large
        self.conv1 = nn.Conv2d(3, stem, 7 if is_large else 3, 2 if is_large else 1,
                               3 if is_large else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        c = stem
        for stage, count in enumerate(blocks):
            n, layer = width << stage, []
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                layer.append(Block(c, n, stride, is_bottleneck, first))
                c = 4 * n if is_bottleneck else n
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self.stages = len(blocks)
        self.fc = nn.Linear(c, CLASSES)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = nn.functional.max_pool2d(x, 3, 2, 1) if self.is_large else x
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


class Vgg16(nn.Module):
    def __init__(self, width):
        super().__init__()
        layers, c = [], 3
        for n in (1, 1, 0, 2, 2, 0, 4, 4, 4, 0, 8, 8, 8, 0, 8, 8, 8, 0):
            if n == 0:
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(c, n * width, 3, padding=1), nn.BatchNorm2d(n * width),
                           nn.ReLU()]
                c = n * width
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(nn.Linear(49 * c, 64 * width), nn.ReLU(), nn.Dropout(),
                                        nn.Linear(64 * width, 64 * width), nn.ReLU(),
                                        nn.Dropout(), nn.Linear(64 * width, CLASSES))

    def forward(self, x):
        return self.classifier(self.pool(self.features(x)).flatten(1))


MODELS = {
    "vgg16_bn": (lambda: Vgg16(1), 32),
    "resnet18": (lambda: ResNet(4, (2, 2, 2, 2), False, False), 32),
    "resnet50": (lambda: ResNet(2, (3, 4, 6, 3), True, True), 72),
    "resnet50_v1": (lambda: ResNet(2, (3, 4, 6, 3), True, True, first=True), 72),
}
ONNX = {"resnet18": torch.onnx.TrainingMode.EVAL, "resnet50": torch.onnx.TrainingMode.PRESERVE}


def settle(model, x, random):
    """Random parameters, and statistics near those of x."""
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(x)
        for m in model.modules():
            if isinstance(m, nn.BatchNorm2d):
                shape = m.weight.shape
                m.weight.copy_(1 + 0.2 * torch.randn(shape, generator=random))
                m.bias.copy_(0.2 * torch.randn(shape, generator=random))
        model(x)
        for m in model.modules():
            if isinstance(m, nn.BatchNorm2d):
                shape = m.weight.shape
                m.running_mean.add_(0.1 * torch.randn(shape, generator=random))
                m.running_var.mul_(1 + 0.3 * torch.rand(shape, generator=random)).add_(1e-3)
    model.eval()


def save(path, tensors):
    """A safetensors file of float32 and int64 tensors."""
    header, data = {}, b""
    for name, tensor in sorted(tensors.items(), key=lambda t: t[1].dtype == torch.float32):
        kind = "F32" if tensor.dtype == torch.float32 else "I64"
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": kind, "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


class Keras:
    """A layers model, written as it is walked."""

    def __init__(self):
        self.layers, self.weights, self.data = [], [], b""

    def add(self, kind, name, inputs, **config):
        config["name"] = name
        inbound = [[[i, 0, 0, {}] for i in inputs]] if inputs else []
        self.layers.append({"class_name": kind, "name": name, "config": config,
                            "inbound_nodes": inbound})
        return name

    def tensor(self, name, value):
        value = value.detach().contiguous()
        self.weights.append({"name": name, "shape": list(value.shape), "dtype": "float32"})
        self.data += value.numpy().tobytes()

    def norm(self, bn, name, x, bias):
        """Batch norm of epsilon 1.001e-5 behind a convolution with that bias: the same function."""
        self.tensor(name + "/gamma", bn.weight)
        self.tensor(name + "/beta", bn.bias)
        self.tensor(name + "/moving_mean", bn.running_mean + bias)
        self.tensor(name + "/moving_variance", bn.running_var - 1e-8)
        return self.add("BatchNormalization", name, [x], axis=[3], epsilon=1.001e-5, center=True,
                        scale=True)

    def conv(self, conv, bn, name, x, padding):
        bias = 0.1 * torch.randn(conv.out_channels, generator=self.random)
        # Keras takes blue first: the golden network red
        w = conv.weight.flip(1) if conv.in_channels == 3 else conv.weight
        self.tensor(name + "/kernel", w.permute(2, 3, 1, 0))
        self.tensor(name + "/bias", bias)
        x = self.add("Conv2D", name, [x], filters=conv.out_channels,
                     kernel_size=list(conv.kernel_size), strides=list(conv.stride),
                     padding=padding, data_format="channels_last", dilation_rate=[1, 1],
                     activation="linear", use_bias=True)
        return self.norm(bn, name + "_bn", x, bias)

    def relu(self, x):
        return self.add("Activation", x + "_relu", [x], activation="relu")

    def write(self, folder, model, side, random):
        self.random = random
        x = self.add("InputLayer", "input_1", [], batch_input_shape=[None, side, side, 3],
                     dtype="float32")
        x = self.add("ZeroPadding2D", "conv1_pad", [x], padding=[[3, 3], [3, 3]],
                     data_format="channels_last")
        x = self.relu(self.conv(model.conv1, model.bn1, "conv1", x, "valid"))
        x = self.add("ZeroPadding2D", "pool1_pad", [x], padding=[[1, 1], [1, 1]],
                     data_format="channels_last")
        x = self.add("MaxPooling2D", "pool1", [x], pool_size=[3, 3], strides=[2, 2],
                     padding="valid", data_format="channels_last")
        for stage in range(model.stages):
            for b, block in enumerate(getattr(model, f"layer{stage + 1}")):
                name, shortcut = f"block{stage + 1}{b}", x
                y = self.relu(self.conv(block.conv1, block.bn1, name + "_1", x, "valid"))
                y = self.relu(self.conv(block.conv2, block.bn2, name + "_2", y, "same"))
                y = self.conv(block.conv3, block.bn3, name + "_3", y, "valid")
                if block.downsample is not None:
                    shortcut = self.conv(block.downsample[0], block.downsample[1], name + "_0", x,
                                         "valid")
                x = self.relu(self.add("Add", name + "_add", [y, shortcut]))
        x = self.add("GlobalAveragePooling2D", "avg_pool", [x], data_format="channels_last")
        self.tensor("predictions/kernel", model.fc.weight.t())
        self.tensor("predictions/bias", model.fc.bias)
        x = self.add("Dense", "predictions", [x], units=CLASSES, activation="softmax",
                     use_bias=True)
        half = len(self.data) // 2 // 4 * 4 + 2  # a cut inside a number, as real shards have it
        os.makedirs(folder, exist_ok=True)
        for i, part in enumerate((self.data[:half], self.data[half:])):
            with open(os.path.join(folder, f"group1-shard{i + 1}of2.bin"), "wb") as file:
                file.write(part)
        config = {"name": "resnet", "layers": self.layers, "input_layers": [["input_1", 0, 0]],
                  "output_layers": [[x, 0, 0]]}
        document = {"format": "layers-model", "modelTopology": {
            "keras_version": "2.2.4", "model_config": {"class_name": "Model", "config": config}},
            "weightsManifest": [{"paths": ["group1-shard1of2.bin", "group1-shard2of2.bin"],
                                 "weights": self.weights}]}
        with open(os.path.join(folder, "model.json"), "w", encoding="utf-8") as file:
            json.dump(document, file, separators=(",", ":"))
            file.write("\n")


def main():
    torch.set_num_threads(1)
    for number, (name, (make, side)) in enumerate(MODELS.items()):
        torch.manual_seed(number + 1)
        random = torch.Generator().manual_seed(number + 100)
        model = make()
        x = torch.randn(IMAGES, 3, side, side, generator=random)
        settle(model, x, random)
        path = os.path.join(FOLDER, "import-" + name)
        if name == "resnet50_v1":
            Keras().write(os.path.join(FOLDER, "import-keras"), model, side, random)
        else:
            save(path + ".safetensors", model.state_dict())
        if name in ONNX:
            # with batch norm folded into the convolutions, and as it is
            torch.onnx.export(model, x[:1], path + ".onnx", opset_version=13,
                              do_constant_folding=ONNX[name] == torch.onnx.TrainingMode.EVAL,
                              training=ONNX[name])
        with torch.no_grad():
            logits = model.double()(x.double()).float()
        save(path + "-answers.safetensors", {"x": x, "logits": logits})
        print(name, "logits", float(logits.abs().max()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
