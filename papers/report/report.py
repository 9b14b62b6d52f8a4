#!/usr/bin/env python3
"""Measures ternary beside FP16 on this machine and writes a report of it.

    papers/report/report.py --program build/release/tern --out report

report/data holds one JSON file a measurement: what is there already is not
measured again, so a run may be stopped (Ctrl-C, or --stop-after) and gone on
with.  Another machine or program makes all of it anew.
"""
import argparse
import os
import sys

import machine
import measure
import pages
import plan
import plots


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--program", default="build/release/tern",
                        help="the tern that measures, its benchmarks beside it")
    parser.add_argument("--out", default="report", help="folder to write")
    parser.add_argument("--quick", action="store_true",
                        help="fewer and shorter measurements: 3 minutes")
    parser.add_argument("--stop-after", type=float, default=float("inf"),
                        metavar="SECONDS",
                        help="begin no measurement after so long")
    parser.add_argument("--pages-only", action="store_true",
                        help="measure nothing, write pages of what is there")
    return parser.parse_args(arguments)


def _tell(text):
    print(text, file=sys.stderr, flush=True)


def _check_of_machine(folder, described):
    """Its fingerprint; says so if the figures that are there are another's."""
    now = machine.fingerprint(described)
    before = measure.load(os.path.join(folder, "machine.json"))
    if before and machine.fingerprint(before) != now:
        _tell("another machine or program than the figures that are there: "
              "all is measured anew")
    measure.save(os.path.join(folder, "machine.json"), described)
    return now


def main(arguments):
    options = _parse(arguments)
    data = os.path.join(options.out, "data")
    os.makedirs(data, exist_ok=True)
    described = measure.load(os.path.join(data, "machine.json"))
    done = True
    if not options.pages_only:
        described = machine.describe(options.program)
        now = _check_of_machine(data, described)
        todo = plan.measurements(options.quick, described["cores"])
        done = measure.make_all(data, todo, measure.Bench(options.program),
                                now, options.stop_after, _tell)
    if not described:
        _tell(f"{data}: no machine.json, so nothing was measured yet")
        return 1
    todo = plan.measurements(options.quick, described["cores"])
    records = measure.read_all(data, todo, machine.fingerprint(described))
    drawn = []
    if plots.available():
        drawn = plots.draw_all(options.out, records, _tell)
    else:
        _tell("no gnuplot: the pages have no plots; "
              "scripts/install_packages.sh report")
    pages.write(options.out, described, records, drawn, quick=options.quick)
    _tell(f"{options.out}/report.md, {options.out}/report.html")
    return 0 if done else 3


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        _tell("stopped; run it again to go on")
        sys.exit(130)
