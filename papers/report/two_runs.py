#!/usr/bin/env python3
"""Do the ratios of two runs of the report agree?

    papers/report/two_runs.py report other_report --out papers/results

Writes two-runs.md; exit status 1 if a ratio of what both measured at the same
speed of the memory differs by more than 10 %.
"""
import argparse
import dataclasses
import os
import sys
import typing

import figures
import machine
import measure
import pages
import pairs
import plan

LIMIT = 0.10


FEW = 3  # pairs whose median says little


@dataclasses.dataclass(frozen=True)
class Ratio:
    value: float
    speed: typing.Optional[float] = None  # of memory, GB/s, where it matters
    pairs: int = 0


def _speeds(found):
    return [Ratio(f.ratio, f.speed, f.pairs) for f in found if f.pairs >= FEW]


def ratios(records):
    """name -> ratios, one for each speed of the memory."""
    found = {}
    for size in figures.sizes(records):
        mark = " (FP16 computed)" if size.f16.computed else ""
        found[f"{size.shape}: decode, ternary over FP16{mark}"] = \
            _speeds(size.decode)
        found[f"{size.shape}: prefill, ternary over FP16{mark}"] = \
            _speeds(size.prefill)
        if size.peak_ratio:
            found[f"{size.shape}: peak memory"] = [Ratio(size.peak_ratio)]
    for tokens, first in figures.first_token(records):
        found[f"first token after {tokens}"] = _speeds(first)
    for tokens, ratio in figures.yardstick_ratios(records).items():
        found[f"kernel over the yardstick, tokens: {tokens}"] = [Ratio(ratio)]
    return found


def measured_twice(first, second):
    """The records of `second` that are no copies of those of `first`."""
    return {name: record for name, record in second.items()
            if record.get("results") != first.get(name, {}).get("results")}


@dataclasses.dataclass
class Row:
    name: str
    first: Ratio
    second: Ratio

    @property
    def difference(self):
        return self.second.value / self.first.value - 1


def _alike(one, two):
    return one.speed is None or \
        pairs.alike(one.speed, two.speed)


def compare(first, second):
    """Rows of what both measured at the same speed of the memory, and the names
    of what one measured at a speed that the other did not see."""
    again = measured_twice(first, second)
    one = ratios({name: first[name] for name in again if name in first})
    two = ratios(again)
    rows, single = [], []
    for name in [name for name in one if name in two]:
        left = list(two[name])
        for ratio in one[name]:
            match = next((r for r in left if _alike(ratio, r)), None)
            if match is None:
                single.append((name, ratio, "first"))
            else:
                left.remove(match)
                rows.append(Row(name, ratio, match))
        single += [(name, ratio, "second") for ratio in left]
    return rows, single


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
    rows, single = compare(_records(options.first), _records(options.second))
    text = page_of(rows, single).markdown()
    with open(os.path.join(options.out, "two-runs.md"), "w",
              encoding="utf-8") as file:
        file.write(text)
    print(text)
    return 1 if _apart(rows) else 0


def _apart(rows):
    return sum(abs(row.difference) > LIMIT for row in rows)


def _both(row, name, form):
    values = [getattr(ratio, name) for ratio in (row.first, row.second)]
    return " and ".join(format(value, form) for value in values) \
        if row.first.speed is not None else ""


def page_of(rows, single):
    page = pages.Page()
    page.heading(1, "Two runs")
    page.text(f"{len(rows)} ratios of measurements that were made twice; "
              f"{_apart(rows)} differ by more than {LIMIT:.0%}. Where a "
              "virtual machine's cores lie changes from minute to minute, and "
              "with it how fast they read memory together: ratios are compared "
              "at the same speed of the memory (GB/s and pairs of samples, "
              f"first and second run), those of {FEW} pairs or more. Made by "
              "papers/report/two_runs.py.")
    page.table(["ratio", "first run", "second run", "difference", "GB/s",
                "pairs"],
               [[row.name, f"{row.first.value:.2f}", f"{row.second.value:.2f}",
                 f"{row.difference:+.1%}", _both(row, "speed", ".0f"),
                 _both(row, "pairs", "d")] for row in rows])
    if single:
        page.text(f"Seen in one run alone, or in the other in fewer than {FEW} "
                  "pairs:")
        page.table(["ratio", "run", "value", "GB/s", "pairs"],
                   [[name, run, f"{ratio.value:.2f}", f"{ratio.speed:.0f}",
                     str(ratio.pairs)] for name, ratio, run in single])
    return page


if __name__ == "__main__":
    sys.exit(main())
