#!/usr/bin/env python3
"""Have the kernels become slower?  Their speed as ratios, to the yardstick, to
OpenBLAS and to reading memory, beside those of a committed run.

    scripts/bench_check.py                    # exit status 1: slower
    scripts/bench_check.py --write            # makes a new baseline

Ratios are taken of what ran in turn in one process, so that the clock and the
neighbours of a machine drop out.  What seems slower is measured again, twice at
the most, and its best ratio counts: noise passes, a slower kernel stays slow.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "papers", "report"))
import machine  # noqa: E402 (the path comes first)
import measure  # noqa: E402

# The baseline is the best of several runs.  What has not changed was seen at 0.94
# to 1.00 of it; a matvec that did a tenth of its work twice at 0.87 and 0.88.
LIMIT = 0.925
TRIES = 3
YARDSTICK = "MultiplyAdd/6912/2560/256/1/real_time"
TABLES = ["MatVec/{target}/6912/2560/1/1/real_time",
          "MatMul/{target}/6912/2560/32/1/real_time",
          "MatMul/{target}/6912/2560/256/1/real_time"]
DENSE = ["Decode/{target}/69120/3200/1/1/manual_time",
         "Prefill/{target}/8640/3200/256/1/manual_time"]


def _bench(folder, program, names, *more):
    pattern = "|".join("^" + name + "$" for name in names)
    text = subprocess.run(
        [os.path.join(folder, "bench", program), f"--benchmark_filter={pattern}",
         "--benchmark_format=json", *more], capture_output=True, text=True,
        check=True).stdout
    return json.loads(text)["benchmarks"]


def _tables(folder, targets):
    """Ternary kernels over the yardstick."""
    names = [name.format(target=t) for t in targets for name in TABLES]
    rates = {}
    # Several processes: where the yardstick's memory lies makes 3 %.
    for _ in range(3):
        for row in _bench(folder, "matmul_bench", names + [YARDSTICK],
                          "--benchmark_repetitions=5",
                          "--benchmark_min_time=0.05",
                          "--benchmark_enable_random_interleaving=true"):
            if row.get("run_type") == "iteration":
                rates.setdefault(row["run_name"], []).append(row["GMAC/s"])
    medians = {name: statistics.median(values)
               for name, values in rates.items()}
    return {f"{name.rsplit('/', 1)[0]} to the yardstick":
            medians[name] / medians[YARDSTICK] for name in names}


def _dense(folder, targets):
    """FP16 decode over reading the same bytes, prefill over OpenBLAS."""
    names = [name.format(target=targets[0]) for name in DENSE]
    rows = _bench(folder, "dense_bench", names, "--benchmark_min_time=1")
    return {f"{row['name'].rsplit('/', 1)[0]} to "
            f"{'reading' if row['name'].startswith('Decode') else 'OpenBLAS'}":
            row["ratio"] for row in rows}


def _whole(folder, _targets):
    """Decoding with one thread over the read bandwidth of one."""
    text = subprocess.run(
        [os.path.join(folder, "tern"), "bench", "--shape", "bitnet-700m", "-p",
         "0", "-n", "32", "-t", "1", "-r", "7", "--json"], capture_output=True,
        text=True, check=True).stdout
    return {"bitnet-700m decode, 1 thread, to the read bandwidth":
            json.loads(text)[0]["percent_of_bandwidth"] / 100}


GROUPS = [_tables, _dense, _whole]


def compare(baseline, group, tell):
    """group() measures some ratios; {name: best ratio over the baseline's}."""
    best = {}
    for attempt in range(TRIES):
        for name, ratio in group().items():
            if name in baseline:
                best[name] = max(best.get(name, 0), ratio / baseline[name])
        slow = [name for name, value in best.items() if value < LIMIT]
        if not slow:
            break
        if attempt + 1 < TRIES:
            tell(f"again: {len(slow)} seem slower")
    return best


def _measure_baseline(folder, targets):
    """The best of five rounds: of a check, too, the best of its tries counts.
    """
    rounds = [{name: ratio for group in GROUPS
               for name, ratio in group(folder, targets).items()}
              for _ in range(5)]
    return {name: round(max(r[name] for r in rounds), 4)
            for name in rounds[0]}


def _parse():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    parser.add_argument("--baseline",
                        default=os.path.join(ROOT, "bench/baseline.json"))
    parser.add_argument("--write", action="store_true",
                        help="write the baseline instead of comparing")
    return parser.parse_args()


def main():
    options = _parse()
    described = machine.describe(os.path.join(options.build, "tern"))
    best = measure.Bench(os.path.join(options.build, "tern")).target
    # The best instruction set, and what most machines have.
    targets = [best] if best == "AVX2" else [best, "AVX2"]
    if options.write:
        measure.save(options.baseline, {
            "cpu": described["cpu"], "cores": described["cores"],
            "caches": described["caches"], "system": described["system"],
            "ratios": _measure_baseline(options.build, targets)})
        print(options.baseline)
        return 0
    baseline = measure.load(options.baseline)
    if not baseline or baseline["cpu"] != described["cpu"]:
        print(f"bench_check: {options.baseline}: is of "
              f"{baseline['cpu'] if baseline else 'nothing'}, this is "
              f"{described['cpu']}; make one of this machine with --write "
              "from a version that is known to be good", file=sys.stderr)
        return 2
    return _report(baseline["ratios"], options.build, targets)


def _report(baseline, folder, targets):
    results = {}
    for group in GROUPS:
        results.update(compare(
            baseline, lambda group=group: group(folder, targets),
            lambda text: print(text, file=sys.stderr, flush=True)))
    slower = 0
    for name, value in results.items():
        is_slow = value < LIMIT
        slower += is_slow
        print(f"{value:6.3f}  {'SLOWER  ' if is_slow else ''}{name}")
    print(f"{len(results)} ratios beside {len(baseline)} of the baseline; "
          f"{slower} below {LIMIT}")
    return 1 if slower or len(results) != len(baseline) else 0


if __name__ == "__main__":
    sys.exit(main())
