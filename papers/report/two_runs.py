#!/usr/bin/env python3
"""Do the ratios of two runs of the report agree?

    papers/report/two_runs.py report other_report --out papers/results

Writes two-runs.md; exit status 1 if a ratio of what both measured differs by
more than 10 %.
"""
import argparse
import os
import sys

import figures
import machine
import measure
import pages
import plan

LIMIT = 0.10


def ratios(records):
    """name -> ratio."""
    found = {}
    for size in figures.sizes(records):
        mark = " (FP16 computed)" if size.f16.computed else ""
        found[f"{size.shape}: decode, ternary over FP16{mark}"] = \
            size.decode_ratio
        found[f"{size.shape}: prefill, ternary over FP16{mark}"] = \
            size.prefill_ratio
        found[f"{size.shape}: memory{mark}"] = size.memory_ratio
    f16 = dict(figures.first_token(records, "f16"))
    for tokens, seconds in figures.first_token(records, "ternary"):
        if tokens in f16:
            found[f"first token after {tokens}"] = f16[tokens] / seconds
    rates = figures.ceilings(records)
    for name in ("MatVec 1", "MatMul 256"):
        if {name, "MultiplyAdd 256"} <= set(rates):
            found[f"{name} over the yardstick"] = \
                rates[name] / rates["MultiplyAdd 256"]
    return found


def measured_twice(first, second):
    """The records of `second` that are no copies of those of `first`."""
    return {name: record for name, record in second.items()
            if record.get("results") != first.get(name, {}).get("results")}


def compare(first, second):
    """[(name, ratio, ratio, difference)] of what both measured."""
    again = measured_twice(first, second)
    # Computed sides need the largest f16 model that was measured.
    one = ratios({name: first[name] for name in again if name in first})
    two = ratios(again)
    return [(name, one[name], two[name], two[name] / one[name] - 1)
            for name in one if name in two]


def _records(folder):
    data = os.path.join(folder, "data")
    described = measure.load(os.path.join(data, "machine.json"))
    return measure.read_all(data, plan.measurements(False, described["cores"]),
                            machine.fingerprint(described))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--out", default="papers/results")
    options = parser.parse_args()
    rows = compare(_records(options.first), _records(options.second))
    page = pages.Page()
    page.heading(1, "Two runs")
    apart = [row for row in rows if abs(row[3]) > LIMIT]
    page.text(f"{len(rows)} ratios of measurements that were made twice, of "
              f"which {len(apart)} differ by more than {LIMIT * 100:.0f} %. "
              "Made by papers/report/two_runs.py.")
    page.table(["ratio", "first run", "second run", "difference"],
               [[name, f"{one:.2f}", f"{two:.2f}", f"{apart:+.1%}"]
                for name, one, two, apart in rows])
    text = page.markdown()
    with open(os.path.join(options.out, "two-runs.md"), "w",
              encoding="utf-8") as file:
        file.write(text)
    print(text)
    return 1 if apart else 0


if __name__ == "__main__":
    sys.exit(main())
