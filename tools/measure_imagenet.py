#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How well an ImageNet network knows pictures of other sets: top-1 and top-5 by class.

    tools/measure_imagenet.py OHMWISE RUN FOLDER [FOLDER ...] [--json]

RUN has ImageNet's 1000 classes with their usual names ('ohmwise import ... --classes'); a FOLDER is
one of Caltech-101 or of the Oxford flowers, as CLASS/*.jpg (train and test, one by one). Only classes
that ImageNet has under a name of the same meaning are measured; where ImageNet divides what the
set calls by one name (crocodiles and alligators, six butterflies) each of its names is right. The
table was written down from the names alone, before any picture was classified.
"""
import argparse
import json
import os
import subprocess
import sys

# folder of the set: ImageNet's names of the same meaning
SAME = {
    "accordion": ["accordion"],
    "airplanes": ["airliner"],
    "ant": ["ant"],
    "barrel": ["barrel"],
    "beaver": ["beaver"],
    "binocular": ["binoculars"],
    "butterfly": ["admiral", "ringlet", "monarch", "cabbage_butterfly", "sulphur_butterfly",
                  "lycaenid"],
    "camera": ["Polaroid_camera", "reflex_camera"],
    "cannon": ["cannon"],
    "cellphone": ["cellular_telephone"],
    "cougar_body": ["cougar"],
    "cougar_face": ["cougar"],
    "crab": ["Dungeness_crab", "rock_crab", "fiddler_crab", "king_crab"],
    "crayfish": ["crayfish"],
    "crocodile": ["African_crocodile", "American_alligator"],
    "crocodile_head": ["African_crocodile", "American_alligator"],
    "cup": ["cup", "coffee_mug"],
    "dalmatian": ["dalmatian"],
    "dragonfly": ["dragonfly"],
    "electric_guitar": ["electric_guitar"],
    "elephant": ["Indian_elephant", "African_elephant", "tusker"],
    "flamingo": ["flamingo"],
    "flamingo_head": ["flamingo"],
    "grand_piano": ["grand_piano"],
    "lamp": ["table_lamp"],
    "laptop": ["laptop", "notebook"],
    "Leopards": ["leopard"],
    "llama": ["llama"],
    "lobster": ["American_lobster", "spiny_lobster"],
    "nautilus": ["chambered_nautilus"],
    "panda": ["giant_panda"],
    "pizza": ["pizza"],
    "platypus": ["platypus"],
    "revolver": ["revolver"],
    "rooster": ["cock"],
    "saxophone": ["sax"],
    "schooner": ["schooner"],
    "scorpion": ["scorpion"],
    "soccer_ball": ["soccer_ball"],
    "starfish": ["starfish"],
    "stop_sign": ["street_sign"],
    "strawberry": ["strawberry"],
    "tick": ["tick"],
    "trilobite": ["trilobite"],
    "umbrella": ["umbrella"],
    "49": ["daisy"],  # of the Oxford flowers: oxeye daisy
}
SUFFIXES = (".jpg", ".jpeg", ".png")


def pictures(folders):
    """(class, path) of every picture of the classes above."""
    for folder in folders:
        for name in sorted(SAME):
            place = os.path.join(folder, name)
            for file in sorted(os.listdir(place)) if os.path.isdir(place) else []:
                if file.lower().endswith(SUFFIXES):
                    yield name, os.path.join(place, file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("program")
    parser.add_argument("run")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    arguments = parser.parse_args()
    found = list(pictures(arguments.folders))
    if not found:
        print("no folder has pictures of the classes that are known here", file=sys.stderr)
        return 2
    counts = {}
    for begin in range(0, len(found), 500):  # a command line has its limits
        part = found[begin:begin + 500]
        text = subprocess.run([arguments.program, "classify", arguments.run, "--top", "5", "--json",
                               "--"] + [path for _, path in part],
                              stdout=subprocess.PIPE, check=True).stdout
        for (name, _), image in zip(part, json.loads(text)["images"]):
            ranks = [guess["name"] in SAME[name] for guess in image["guesses"]]
            count = counts.setdefault(name, [0, 0, 0])
            count[0] += 1
            count[1] += ranks[0]
            count[2] += any(ranks)
    total = [sum(count[i] for count in counts.values()) for i in range(3)]
    if arguments.json:
        json.dump({"schema": 1, "images": total[0], "top1": total[1] / total[0],
                   "top5": total[2] / total[0], "classes":
                   {name: {"images": c[0], "top1": c[1], "top5": c[2]}
                    for name, c in sorted(counts.items())}}, sys.stdout, indent=1)
        print()
        return 0
    print("| class | ImageNet's names | pictures | top-1 | top-5 |\n| --- | --- | ---: | ---: | ---: |")
    for name, c in sorted(counts.items(), key=lambda item: item[0].lower()):
        print(f"| {name} | {', '.join(SAME[name])} | {c[0]} | {c[1]} | {c[2]} |")
    print(f"| all {len(counts)} | | {total[0]} | {100 * total[1] / total[0]:.1f} % "
          f"| {100 * total[2] / total[0]:.1f} % |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
