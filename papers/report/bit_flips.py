#!/usr/bin/env python3
"""What bits of the weights that flip do to a ternary model and to its FP16
twin, and which of them are found.

    papers/report/bit_flips.py REFERENCE_DIR --out papers/results

Writes bit-flips.json, .md, .svg and .png.  Flips fall on the linear layers'
weights alone, every bit of them with the same chance.  Two bits hold three
values, so a flip can make a code that means nothing (3).  tern refuses it; a
program that does not look would compute something, so perplexity is taken with
such codes read as 0 and, again, as +1.
"""
import argparse
import concurrent.futures
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

import measure
import pages
import plots
import safetensors

COUNTS = [1, 3, 10, 30, 100, 300, 1000, 3000, 10000]
SEEDS = 16
SINGLES = 200  # flips of one bit, for each way to store a model
# Of the validation text: the first 256 tokens of 4 of its windows.
WINDOWS, LENGTH = 4, 256


class Weights:
    """The linear layers' bytes in a model directory, to be flipped in place."""

    def __init__(self, folder):
        self.folder = folder
        self.path = os.path.join(folder, "model.safetensors")
        tensors = safetensors.File(self.path)
        # embed_tokens is 16-bit on both sides.
        self.spans = [tensors.span(name) for name in sorted(tensors.header)
                      if name.endswith("_proj.weight")]
        self.bits = 8 * sum(size for _, size in self.spans)

    def place(self, bit):
        """Byte of the file and mask of a bit of the weights."""
        byte = bit // 8
        for begin, size in self.spans:
            if byte < size:
                return begin + byte, 1 << (bit % 8)
            byte -= size
        raise IndexError(bit)

    def change(self, masks):
        """Exclusive-ors bytes; again, and they are what they were."""
        with open(self.path, "r+b") as file:
            for offset, mask in masks.items():
                file.seek(offset)
                byte = file.read(1)[0]
                file.seek(offset)
                file.write(bytes([byte ^ mask]))

    def bytes_at(self, offsets):
        with open(self.path, "rb") as file:
            found = {}
            for offset in offsets:
                file.seek(offset)
                found[offset] = file.read(1)[0]
            return found


def draw_flips(weights, count, seed):
    """offset -> mask of `count` different bits."""
    masks = {}
    for bit in random.Random(seed).sample(range(weights.bits), count):
        offset, mask = weights.place(bit)
        masks[offset] = masks.get(offset, 0) ^ mask
    return masks


def mend(byte, code):
    """`code` in the place of every field that is 3; and how many were."""
    mended = 0
    for shift in (0, 2, 4, 6):
        if byte >> shift & 3 == 3:
            byte ^= (3 ^ code) << shift
            mended += 1
    return byte, mended


def _perplexity(program, folder, ids_file):
    """Infinite if the model is refused or its logits are not numbers."""
    run = subprocess.run([program, "perplexity", "-m", folder, "--tokens",
                          ids_file, "--threads", "1", "--json"],
                         capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return math.inf
    # A perplexity beyond a double's range is null.
    value = json.loads(run.stdout)["perplexity"]
    return math.inf if value is None else value


def _is_found(program, path):
    run = subprocess.run([program, "verify", path], capture_output=True,
                         check=False)
    return run.returncode == 1


def _flip_ternary(program, weights, ids_file, masks):
    weights.change(masks)
    spoilt = {offset: byte for offset, byte
              in weights.bytes_at(masks).items() if mend(byte, 1)[1]}
    row = {"refused": _is_found(program, weights.folder),
           "codes_of_3": sum(mend(b, 1)[1] for b in spoilt.values())}
    for name, code in (("read_as_0", 1), ("read_as_1", 2)):
        mending = {o: b ^ mend(b, code)[0] for o, b in spoilt.items()}
        weights.change(mending)
        row[name] = _perplexity(program, weights.folder, ids_file)
        weights.change(mending)
    weights.change(masks)
    return row


def _flip_f16(program, weights, ids_file, masks):
    weights.change(masks)
    row = {"refused": _is_found(program, weights.folder),
           "perplexity": _perplexity(program, weights.folder, ids_file)}
    weights.change(masks)
    return row


def sweep(program, weights, ids_file, flip, tell):
    rows = []
    for count in COUNTS:
        tell(f"{os.path.basename(weights.folder)}: {count} flips")
        for seed in range(SEEDS):
            masks = draw_flips(weights, count, (count, seed).__repr__())
            rows.append({"flips": count, "seed": seed,
                         **flip(program, weights, ids_file, masks)})
    return rows


def singles(program, model, path, spans):
    """How many of SINGLES flips of one bit within `spans` are found."""
    total = 8 * sum(size for _, size in spans)
    chooser = random.Random(1)
    found = 0
    for _ in range(SINGLES):
        bit = chooser.randrange(total)
        byte = bit // 8
        for begin, size in spans:
            if byte < size:
                break
            byte -= size
        with open(path, "r+b") as file:
            for again in (False, True):
                file.seek(begin + byte)
                old = file.read(1)[0]
                file.seek(begin + byte)
                file.write(bytes([old ^ 1 << bit % 8]))
                file.flush()
                if not again:
                    found += _is_found(program, model)
    return found


def _tensor_spans(program, path, types):
    report = json.loads(subprocess.run(
        [program, "inspect", path, "--json"], capture_output=True, text=True,
        check=True).stdout)
    return [(t["offset"], t["bytes"]) for t in report["tensors"]
            if t["type"] in types]


def all_singles(program, ternary, f16, folder):
    rows = []
    for form in ("t2", "i2_s", "tq2_0"):
        path = os.path.join(folder, f"model.{form}.gguf")
        # TQ2_0 wants widths that are multiples of 256: 384 is none.
        packed = subprocess.run([program, "pack", ternary.folder, path,
                                 "--type", form], capture_output=True,
                                check=False)
        if packed.returncode != 0:
            continue
        spans = _tensor_spans(program, path, {form.upper()})
        rows.append({"format": f"GGUF, {form.upper()}", "flips": SINGLES,
                     "found": singles(program, path, path, spans)})
    for name, weights in (("Hugging Face, packed", ternary),
                          ("Hugging Face, F16", f16)):
        rows.append({"format": name, "flips": SINGLES,
                     "found": singles(program, weights.folder, weights.path,
                                      weights.spans)})
    return rows


def _copy(models, name, folder):
    to = os.path.join(folder, name)
    shutil.copytree(os.path.join(models, name), to)
    os.chmod(to, 0o755)
    for file in os.listdir(to):
        os.chmod(os.path.join(to, file), 0o644)
    return Weights(to)


def measure_all(program, models, folder, tell):
    ids_file = os.path.join(folder, "ids.json")
    rows = safetensors.File(os.path.join(
        models, "golden/val/val_ids.safetensors")).rows("ids")
    step = len(rows) // WINDOWS
    with open(ids_file, "w", encoding="ascii") as file:
        json.dump([row[:LENGTH] for row in rows[::step][:WINDOWS]], file)
    ternary, f16 = (_copy(models, name, folder)
                    for name in ("books-14m-packed", "books-14m-fp16"))
    # Side by side: each has its own files and one thread.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        sweeps = [pool.submit(sweep, program, weights, ids_file, flip, tell)
                  for weights, flip in ((ternary, _flip_ternary),
                                        (f16, _flip_f16))]
    return {
        "whole": {name: _perplexity(program, weights.folder, ids_file)
                  for name, weights in (("ternary", ternary), ("f16", f16))},
        "bits": {"ternary": ternary.bits, "f16": f16.bits},
        "ternary": sweeps[0].result(),
        "f16": sweeps[1].result(),
        "singles": all_singles(program, ternary, f16, folder)}


def quartiles(rows, key, count):
    """Lower quartile, median, upper quartile over the seeds."""
    values = sorted(row[key] for row in rows if row["flips"] == count)
    middle = statistics.median(values)
    return values[len(values) // 4], middle, values[-1 - len(values) // 4]


def draw(folder, results):
    top = 1e6  # stands for all above, and for what is no number

    def rows(form, key):
        return [(count, *(min(v, top) for v in
                          quartiles(results[form], key, count)))
                for count in COUNTS]
    script = (plots.data_block("ternary0", rows("ternary", "read_as_0")) +
              plots.data_block("ternary1", rows("ternary", "read_as_1")) +
              plots.data_block("f16", rows("f16", "perplexity"))) + f"""
set logscale xy
set xrange [0.8:15000]
set yrange [10:2e6]
set format y '10^{{%T}}'
set grid xtics ytics lc rgb '#dddddd' lt 1
set xlabel 'bits of the linear layers that flipped'
set ylabel 'perplexity a token (medians, quartiles of {SEEDS} seeds)'
plot $ternary0 using 1:3:2:4 with yerrorlines ls 1 lw 6 \
     title 'ternary, code 3 read as 0', \
     $ternary1 using 1:3:2:4 with yerrorlines ls 4 \
     title 'ternary, code 3 read as +1', \
     $f16 using 1:3:2:4 with yerrorlines ls 2 \
     title 'FP16 twin (10^6: that much or no number)'
"""
    plots.draw(folder, "bit-flips", script)


def _cell(values):
    return " / ".join("no number" if math.isinf(v) else
                      f"{v:.2f}" if v < 1000 else f"{v:.0f}" for v in values)


def page_of(results):
    page = pages.Page()
    page.heading(1, "Bits that flip")
    page.text(f"books-14m ({results['bits']['ternary'] / 1e6:.1f} Mbit of "
              "packed ternary weights) and its FP16 twin "
              f"({results['bits']['f16'] / 1e6:.1f} Mbit): N random bits of "
              f"the linear layers' weights flip, {SEEDS} seeds for every N. "
              f"Perplexity on a small slice of the held-out books: {WINDOWS} "
              f"windows of {LENGTH} tokens, fed whole. Whole models: "
              f"{results['whole']['ternary']:.2f} and "
              f"{results['whole']['f16']:.2f}. Made by "
              "papers/report/bit_flips.py.")
    page.blocks.append(("plot", "bit-flips"))
    table = []
    for count in COUNTS:
        ternary = [r for r in results["ternary"] if r["flips"] == count]
        f16 = [r for r in results["f16"] if r["flips"] == count]
        table.append([
            str(count), _cell(quartiles(ternary, "read_as_0", count)),
            _cell(quartiles(ternary, "read_as_1", count)),
            _cell(quartiles(f16, "perplexity", count)),
            f"{sum(r['codes_of_3'] for r in ternary) / len(ternary):.1f}",
            f"{sum(r['refused'] for r in ternary)} of {SEEDS}",
            f"{sum(r['refused'] for r in f16)} of {SEEDS}"])
    page.text("Perplexity: lower quartile / median / upper quartile.")
    page.table(["flips", "ternary, code 3 as 0", "ternary, code 3 as +1",
                "FP16 twin", "codes of 3, mean", "ternary refused",
                "FP16 refused"], table)
    page.text("Which single flips `tern verify` finds, of as many anywhere in "
              "the linear layers' weights. Only t2 records checksums; "
              "elsewhere it sees code 3, and infinities.")
    page.table(["stored as", "flips of one bit", "found"],
               [[r["format"], str(r["flips"]), str(r["found"])]
                for r in results["singles"]])
    page.text(_reading(results))
    return page


def _reading(results):
    """What the numbers show, in terms of what they are."""
    def worst(form, key, count):
        return quartiles(results[form], key, count)[1] / results["whole"][form]
    return (f"With 100 flips the ternary model's perplexity is "
            f"{worst('ternary', 'read_as_0', 100):.3f} times what it was, its "
            f"twin's {worst('f16', 'perplexity', 100):.3g} times (medians). "
            "A flipped code changes a weight by one or two steps of the same "
            "size as every weight; a flipped exponent bit of a half changes "
            "it by up to 65,536 times. That is by count of flips: the packed "
            "model has an eighth of the bits, so at the same rate a bit it "
            "also meets an eighth of the flips. Perplexity says nothing of "
            "single answers, and flips of scales, norms and embedding, which "
            "both models hold as 16-bit floats, are not in it.")


def write_page(folder, results):
    draw(folder, results)
    with open(os.path.join(folder, "bit-flips.md"), "w",
              encoding="utf-8") as file:
        file.write(page_of(results).markdown())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("reference", metavar="REFERENCE_DIR")
    parser.add_argument("--program", default="build/release/tern")
    parser.add_argument("--out", default="papers/results")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        results = measure_all(
            options.program, os.path.join(options.reference, "models"), folder,
            lambda text: print(text, file=sys.stderr, flush=True))
    measure.save(os.path.join(options.out, "bit-flips.json"), results)
    write_page(options.out, results)


if __name__ == "__main__":
    main()
