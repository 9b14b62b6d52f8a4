#!/usr/bin/env python3
"""Do the ratios of two runs of the report agree?

    papers/report/two_runs.py report other_report --out papers/results

Writes two-runs.md; exit status 1 if a ratio of what both measured differs by
more than 10 % although memory was as fast in both.
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
import plan

LIMIT = 0.10


def _bandwidth(records, name):
    return records[name]["results"][0]["read_bandwidth_gb_s"]


def ratios(records):
    """name -> (ratio, GB/s at which memory was read meanwhile, or None)."""
    found = {}
    for size in figures.sizes(records):
        mark = " (FP16 computed)" if size.f16.computed else ""
        speed = size.bandwidth / 1e9
        found[f"{size.shape}: decode, ternary over FP16{mark}"] = \
            (size.decode_ratio, speed)
        found[f"{size.shape}: prefill, ternary over FP16{mark}"] = \
            (size.prefill_ratio, speed)
        found[f"{size.shape}: memory{mark}"] = (size.memory_ratio, None)
    for tokens, ratio in figures.first_token_ratios(records):
        found[f"first token after {tokens}"] = \
            (ratio, _bandwidth(records, "first-token"))
    rates = figures.ceilings(records)
    for name in ("MatVec 1", "MatMul 256"):
        if {name, "MultiplyAdd 256"} <= set(rates):
            found[f"{name} over the yardstick"] = \
                (rates[name] / rates["MultiplyAdd 256"], None)
    return found


def measured_twice(first, second):
    """The records of `second` that are no copies of those of `first`."""
    return {name: record for name, record in second.items()
            if record.get("results") != first.get(name, {}).get("results")}


@dataclasses.dataclass
class Row:
    name: str
    ratios: typing.Tuple[float, float]
    speeds: typing.Tuple[typing.Optional[float], typing.Optional[float]]

    @property
    def difference(self):
        return self.ratios[1] / self.ratios[0] - 1

    @property
    def same_memory(self):
        """Whether memory was as fast in both runs, if that matters."""
        one, two = self.speeds
        return one is None or abs(two / one - 1) <= LIMIT


def compare(first, second):
    """Rows of what both measured."""
    again = measured_twice(first, second)
    # Computed sides need the largest f16 model that was measured.
    one = ratios({name: first[name] for name in again if name in first})
    two = ratios(again)
    return [Row(name, (one[name][0], two[name][0]), (one[name][1],
                                                     two[name][1]))
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
    apart = [row for row in rows if abs(row.difference) > LIMIT]
    text = _page(rows, apart).markdown()
    with open(os.path.join(options.out, "two-runs.md"), "w",
              encoding="utf-8") as file:
        file.write(text)
    print(text)
    return 1 if any(row.same_memory for row in apart) else 0


def _page(rows, apart):
    page = pages.Page()
    page.heading(1, "Two runs")
    page.text(f"{len(rows)} ratios of measurements that were made twice; "
              f"{len(apart)} differ by more than {LIMIT:.0%}, "
              f"{sum(row.same_memory for row in apart)} of these although "
              "memory was read as fast in both runs. Where a virtual "
              "machine's cores lie changes from minute to minute, and with it "
              "how fast they read memory together (GB/s, first and second "
              "run): FP16, which reads eight times the bytes, gains from that "
              "what ternary does not. Made by papers/report/two_runs.py.")
    page.table(["ratio", "first run", "second run", "difference", "GB/s"],
               [[row.name, *(f"{ratio:.2f}" for ratio in row.ratios),
                 f"{row.difference:+.1%}",
                 "" if row.speeds[0] is None else
                 " and ".join(f"{speed:.1f}" for speed in row.speeds)]
                for row in rows])
    return page


if __name__ == "__main__":
    sys.exit(main())
