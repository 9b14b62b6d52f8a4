#!/usr/bin/env python3
"""Many texts at once from one model: tokens a second beside what limits them.

    papers/report/streams.py --out papers/results

Runs the benchmark scheduler_bench (four minutes on two cores), writes
streams.json and draws streams.svg and .png; with --drawn, draws what the file
says.  The limits: every pass reads the weights once, so texts together get no
more than memory's speed over a pass's bytes, times the texts; and a prompt's
512 tokens, read in one go, are what the layers' kernels reach."""
import argparse
import os

import machine
import measure
import plan
import plots


NAMES = {"tokens/s": "tokens_per_second", "of_one": "of_one",
         "of_prompt": "of_prompt", "slowest": "slowest_over_median",
         "prompt_tokens/s": "prompt_tokens_per_second",
         "read_GB/s": "read_gb_per_second", "pass_GB": "pass_gb"}


HEADS = {"BM_Texts": "f16", "BM_ScreenedTexts": "screened"}


def run(program):
    """The rows of the benchmark, and the machine that they are of."""
    timed, = measure.Bench(program).run(
        plan.Measurement("streams", "kernels", ("1", "scheduler_bench")))
    return {"machine": machine.describe(program),
            "shape": "bitnet-2b4t",
            "rows": [{"head": HEADS[row["name"].split("/")[0]],
                      "texts": int(row["name"].split("/")[1]),
                      **{to: row[name] for name, to in NAMES.items()}}
                     for row in timed]}


def memory_limit(row):
    """Tokens a second if all that took time were reading the weights."""
    return row["texts"] * row["read_gb_per_second"] / row["pass_gb"]


def _rows(results, head):
    return [row for row in results["rows"] if row["head"] == head]


def _points(rows):
    return [(row["texts"], row["tokens_per_second"],
             row["tokens_per_second"] / row["texts"], memory_limit(row),
             row["prompt_tokens_per_second"]) for row in rows]


def table(results, head):
    """Cells of the rows of one head: texts; tokens a second together and of
    one, both limits; times one text; of the prompt's rate; slowest over median
    text."""
    rows = _rows(results, head)
    return [[str(row["texts"]), *(f"{value:.1f}" for value in point[1:]),
             f"{row['of_one']:.2f}", f"{row['of_prompt']:.2f}",
             f"{row['slowest_over_median']:.2f}"]
            for row, point in zip(rows, _points(rows))]


def draw(folder, results):
    top = 2 * max(row["prompt_tokens_per_second"] for row in results["rows"])
    stored = _points(_rows(results, "f16"))
    screened = _points(_rows(results, "screened"))
    bottom = 0.5 * min(point[2] for point in stored)
    script = (plots.data_block("data", stored)
              + plots.data_block("screened", screened) + f"""
set logscale xy 2
set logscale y 10
set xrange [0.85:38]
set yrange [{bottom}:{top}]
set xtics (1, 2, 4, 8, 16, 32)
set ytics (1, 2, 5, 10, 20, 50, 100, 200, 500)
set grid xtics ytics lc rgb '#dddddd' lt 1
set xlabel 'texts that are generated at once'
set ylabel 'tokens a second'
set key bottom left
plot $data using 1:4 with lines lc rgb '#888888' lw 2 dt 2 \\
       title 'limit: reading the weights', \\
     '' using 1:5 with lines lc rgb '#e8a33d' lw 2 dt 2 \\
       title 'limit: prompt of 512 tokens', \\
     $screened using 1:2:(sprintf('%.0f', $2)) with labels offset 0,1 \\
       tc rgb '#2a7f3f' notitle, \\
     '' using 1:2 with linespoints lc rgb '#2a7f3f' lw 2 pt 9 \\
       title 'all texts together, screened head', \\
     $data using ($1 > 1 ? $1 : NaN):2:(sprintf('%.0f', $2)) with labels \\
       offset 0,-1 tc rgb '#1b6ca8' notitle, \\
     '' using 1:2 with linespoints ls 1 title 'all texts together, f16 head', \\
     '' using 1:3:(sprintf($3 < 10 ? '%.1f' : '%.0f', $3)) with labels \\
       offset 0,-1 tc rgb '#c44e2d' notitle, \\
     '' using 1:3 with linespoints ls 2 title 'one of the texts, f16 head'
""")
    plots.draw(folder, "streams", script)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--program", default="build/release/tern",
                        help="the benchmark lies in bench/ beside it")
    parser.add_argument("--out", default="papers/results")
    parser.add_argument("--drawn", action="store_true",
                        help="draw what OUT/streams.json says")
    options = parser.parse_args()
    place = os.path.join(options.out, "streams.json")
    if not options.drawn:
        os.makedirs(options.out, exist_ok=True)
        measure.save(place, run(options.program))
    draw(options.out, measure.load(place))


if __name__ == "__main__":
    main()
