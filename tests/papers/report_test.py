"""The report's scripts: a run goes on where it was stopped, figures of another
machine are not mixed in, what cannot be measured is told, and pages say what the
recorded figures say."""
import os
import re
import shutil
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../..")
sys.path.insert(0, os.path.join(ROOT, "papers/report"))
import energy  # noqa: E402 (the path comes first)
import figures  # noqa: E402
import instructions  # noqa: E402
import machine  # noqa: E402
import measure  # noqa: E402
import pages  # noqa: E402
import pairs  # noqa: E402
import plan  # noqa: E402
import plots  # noqa: E402
import streams  # noqa: E402
import two_runs  # noqa: E402

# One pair of samples and the three readings of the memory's speed around it.
SLOW = (40, 8, (34, 35, 33))
FAST = (60, 15, (60, 58, 61))
CHANGED = (60, 8, (60, 34, 34))


def comparison(test, rounds, repeated=0):
    """What tern bench --compare says of one test."""
    sides = (("ternary", 0, (0, 1), 0.5e9), ("f16", 1, (1, 2), 4e9))
    return [{"format": form, "test": test, "repeated_rounds": repeated,
             "samples": [r[side] for r in rounds],
             "bandwidths_before": [r[2][before] for r in rounds],
             "bandwidths": [r[2][after] for r in rounds],
             "bytes_read_per_token": size}
            for form, side, (before, after), size in sides]


def whole_comparison(shape, rounds, computed=False):
    """Decode and prefill of a shape, with all that pages are made of."""
    results = comparison("tg8", rounds) + comparison("pp128", rounds)
    for r in results:
        is_f16 = r["format"] == "f16"
        r.update({"model": shape, "context": 127, "cache_bytes": 128 * 1000,
                  "scratch_bytes": 5000, "layer_weights": 2e9,
                  "layers_bytes": 4e9 if is_f16 else 0.5e9,
                  "weights_bytes": 4.2e9 if is_f16 else 0.7e9,
                  "peak_rss_bytes": 4.4e9 if is_f16 else 0.8e9})
        if computed and is_f16:
            r.update({"peak_rss_bytes": None, "computed_from_layers": 1})
    return results


def kernel_processes(*rates):
    """Processes of matmul_bench, (MatVec 1, MultiplyAdd 1) GMAC/s each on one
    thread, the median of three; on two, the yardstick is no faster."""
    return [[{"run_type": "aggregate" if share == 0 else "iteration",
              "GMAC/s": rate * share *
                        (1 if name == "MultiplyAdd" else threads),
              "run_name": f"{name}/6912/2560/{tokens}/{threads}/real_time"}
             for share in (1, 0, 0.5, 1.5)
             for threads in (2, 1)
             for tokens in (1, 256)
             for name, rate in ((f"Mat{'Vec' if tokens == 1 else 'Mul'}/AVX2",
                                 ours), ("MultiplyAdd", theirs))]
            for ours, theirs in rates]


def made_up():
    """Records of a machine whose memory has two speeds."""
    rounds = [SLOW, FAST, CHANGED, SLOW, SLOW, FAST, FAST, FAST]
    found = {f"compare-{shape}-1": whole_comparison(shape, rounds)
             for shape in plan.COMPARED}
    found["compare-llama3-8b-1"] = whole_comparison("llama3-8b", rounds, True)
    found["first-token-short-1"] = (comparison("pp16", rounds) +
                                    comparison("pp64", rounds))
    found["kernels-ternary-1"] = kernel_processes((140, 47), (145, 46))
    found["threads"] = [
        {"threads": n, "test": test, "tokens_per_second": 10 * n}
        for n in (1, 2) for test in ("tg8", "pp32")]
    for depth in (0, 512):
        found[f"context-f16-{depth}"] = [{"depth": depth,
                                          "tokens_per_second": 30,
                                          "read_bandwidth_gb_s": 34.4}]
    return {name: {"name": name, "machine": "m", "results": results}
            for name, results in found.items()}


RECORDED = os.path.join(ROOT, "papers/results/data")


def recorded():
    described = measure.load(os.path.join(RECORDED, "machine.json"))
    todo = plan.measurements(False, described["cores"])
    return described, measure.read_all(RECORDED, todo,
                                       machine.fingerprint(described))


class FakeBench:
    def __init__(self, fails=()):
        self.calls = []
        self.fails = set(fails)

    def run(self, measurement):
        self.calls.append(measurement.name)
        if measurement.name in self.fails:
            raise measure.Failed("too little memory")
        return [{"speed": 1}]


class Measuring(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.plan = [plan.Measurement(name, "bench", (name,))
                     for name in ("a", "b", "c")]
        self.told = []

    def make(self, bench, machine_print="m", stop_after=float("inf")):
        return measure.make_all(self.folder, self.plan, bench, machine_print,
                                stop_after, self.told.append)

    def test_what_is_there_is_not_measured_again(self):
        self.assertTrue(self.make(FakeBench()))
        again = FakeBench()
        self.assertTrue(self.make(again))
        self.assertEqual(again.calls, [])

    def test_a_run_stops_between_two_and_goes_on(self):
        first = FakeBench()
        self.assertFalse(self.make(first, stop_after=-1))
        self.assertEqual(first.calls, [])
        self.assertIn("run it again", self.told[-1])
        measure.make_one(self.folder, self.plan[0], first, "m")
        second = FakeBench()
        self.assertTrue(self.make(second))
        self.assertEqual(second.calls, ["b", "c"])

    def test_a_failure_is_told_kept_apart_and_tried_again(self):
        self.assertTrue(self.make(FakeBench(fails=["b"])))
        self.assertIn("[2/3] b: cannot be measured: too little memory",
                      self.told)
        records = measure.read_all(self.folder, self.plan, "m")
        self.assertEqual(figures.failures(records),
                         [("b", "too little memory")])
        again = FakeBench()
        self.make(again)
        self.assertEqual(again.calls, ["b"])

    def test_another_machine_or_command_makes_all_anew(self):
        self.make(FakeBench())
        other = FakeBench()
        self.make(other, machine_print="other")
        self.assertEqual(other.calls, ["a", "b", "c"])
        self.assertEqual(measure.read_all(self.folder, self.plan, "m"), {})
        self.plan[0] = plan.Measurement("a", "bench", ("a", "-r", "9"))
        changed = FakeBench()
        self.make(changed, machine_print="other")
        self.assertEqual(changed.calls, ["a"])

    def test_half_a_file_is_measured_again(self):
        self.make(FakeBench())
        with open(os.path.join(self.folder, "c.json"), "w",
                  encoding="ascii") as file:
            file.write('{"name": "c", "mach')
        again = FakeBench()
        self.make(again)
        self.assertEqual(again.calls, ["c"])

    def test_one_core_cannot_show_what_threads_do(self):
        bench = object.__new__(measure.Bench)
        cores = machine.usable_cores() + 1
        with self.assertRaisesRegex(measure.Failed, f"needs {cores} cores"):
            bench.run(plan.Measurement("threads", "bench", (), cores))


class Machine(unittest.TestCase):
    def test_the_fingerprint_is_of_the_processor_and_the_program(self):
        described, _ = recorded()
        for key, value in (("cpu", "another"), ("program_sha256", "0"),
                           ("memory_bytes", 1), ("cores", 99)):
            self.assertNotEqual(machine.fingerprint(described),
                                machine.fingerprint({**described, key: value}))
        self.assertEqual(machine.fingerprint(described),
                         machine.fingerprint({**described, "system": "other"}))


class Pairs(unittest.TestCase):
    def test_a_pair_is_neighbours_with_the_readings_around_it(self):
        first, second = pairs.of(comparison("tg8", [SLOW, FAST]), "tg")
        self.assertEqual((first.ternary, first.f16, first.readings), SLOW)
        self.assertEqual(first.ratio, 5)
        self.assertEqual(second.ratio, 4)
        self.assertEqual(second.speed, 60)
        # 4 GB at 60 GB/s are 15 tokens a second at the most.
        self.assertAlmostEqual(second.least, 60 / 15)

    def test_two_speeds_of_the_memory_have_two_ratios(self):
        found = pairs.of(comparison("tg8", [SLOW, FAST, FAST, SLOW, FAST]),
                         "tg")
        cut = pairs.border(found)
        self.assertTrue(35 < cut < 58)
        slow, fast = pairs.by_speed(found, cut)
        self.assertEqual((slow.speed, slow.pairs, slow.ratio), (34, 2, 5))
        self.assertEqual((fast.speed, fast.pairs, fast.ratio), (60, 3, 4))
        self.assertEqual(pairs.usual_speed(found), 60)
        self.assertEqual(pairs.at([slow, fast], 36), slow)
        self.assertIsNone(pairs.at([slow], 60))

    def test_noise_is_one_speed(self):
        noisy = [(40, 8, (s, s, s)) for s in (31, 33, 34, 34.5, 35, 36)]
        found = pairs.of(comparison("tg8", noisy), "tg")
        self.assertIsNone(pairs.border(found))
        self.assertEqual(len(pairs.by_speed(found, None)), 1)
        self.assertIsNone(pairs.border(found[:1]))

    def test_only_pairs_during_which_memory_changed_are_left_out(self):
        odd = (10, 10, (34, 34, 34))  # a ratio like no other counts
        found = pairs.of(comparison("tg8", [SLOW, CHANGED, odd]), "tg")
        self.assertEqual([pair.steady for pair in found], [True, False, True])
        figure, = pairs.by_speed(found, pairs.border(found))
        self.assertEqual((figure.pairs, figure.ratio), (2, 3))

    def test_if_memory_changed_in_all_pairs_they_count_all_the_same(self):
        found = pairs.of(comparison("tg8", [CHANGED, CHANGED]), "tg")
        self.assertIsNone(pairs.border(found))
        figure, = pairs.by_speed(found, None)
        self.assertEqual(figure.pairs, 2)


class Figures(unittest.TestCase):
    def test_a_machine_that_is_slow_for_both_sides_changes_no_ratio(self):
        still = (34, 34, 34)
        rounds = [(60, 15, still), (30, 6, still), (63, 21, still),
                  (32, 8, still), (64, 16, still)]
        figure, = pairs.by_speed(pairs.of(comparison("tg8", rounds), "tg"),
                                 None)
        self.assertEqual(figure.ratio, 4)

    def test_the_runs_of_a_comparison_are_put_together(self):
        records = made_up()
        one = figures.sizes(records)[0].decode
        self.assertEqual([f.pairs for f in one], [3, 4])
        records["compare-bitnet-700m-3"] = {
            "results": whole_comparison("bitnet-700m", [SLOW] * 3)}
        slow, fast = figures.sizes(records)[0].decode
        self.assertEqual((slow.pairs, fast.pairs), (6, 4))

    def test_the_computed_side_is_marked_and_has_no_peak(self):
        sizes = {s.shape: s for s in figures.sizes(made_up())}
        computed = sizes["llama3-8b"]
        self.assertEqual(computed.label, "8B*")
        self.assertIsNone(computed.f16.peak_bytes)
        cache = 1000 * figures.CONTEXT
        self.assertIsNone(computed.peak_ratio)
        self.assertAlmostEqual(computed.context_ratio, (4.2e9 + cache + 5000) /
                               (0.7e9 + cache + 5000))
        self.assertEqual(sizes["bitnet-3b"].label, "3B")
        self.assertAlmostEqual(sizes["bitnet-3b"].peak_ratio, 5.5)
        self.assertEqual(figures.prompts(made_up()), [128])
        points = figures.roofline(made_up())
        self.assertNotIn(("8B", "f16"), [point[:2] for point in points])
        self.assertIn(("8B", "ternary"), [point[:2] for point in points])

    def test_a_size_that_was_not_measured_is_left_out(self):
        records = made_up()
        del records["compare-bitnet-1.3b-1"]
        self.assertNotIn("bitnet-1.3b",
                         [s.shape for s in figures.sizes(records)])
        self.assertEqual(figures.sizes({}), [])

    def test_ratios_to_the_yardstick_are_medians_of_processes(self):
        records = {"kernels-ternary-1": {"results": kernel_processes((9, 3))},
                   "kernels-ternary-3": {"results": kernel_processes(
                       (10, 5), (8, 2))}}
        self.assertEqual(figures.yardstick_ratios(records), {1: 3, 256: 3})
        self.assertEqual(figures.ceilings(records)["MultiplyAdd 256"], 7.5)
        self.assertEqual(figures.ceilings(records)["MatMul 256"], 30)
        self.assertEqual(figures.yardstick_ratios({}), {})


class Plan(unittest.TestCase):
    def test_names_are_those_that_figures_look_for(self):
        known = {part for name in plan.COMPARISONS + ["kernels-ternary"]
                 for part in plan.parts(name)}
        for quick in (False, True):
            names = [m.name for m in plan.measurements(quick, 2)]
            self.assertEqual(len(names), len(set(names)))
            for name in names:
                if name.startswith(("compare", "first-token", "kernels-t")):
                    self.assertIn(name, known)
        self.assertTrue({f"{name}-1" for name in plan.COMPARISONS} <=
                        set(names) | {m.name for m in
                                      plan.measurements(False, 2)})

    def test_runs_of_one_comparison_are_apart(self):
        names = [m.name for m in plan.measurements(False, 2)]
        first, second, third = (names.index(part) for part in
                                plan.parts("compare-bitnet-700m"))
        self.assertGreater(min(second - first, third - second), 9)


class TwoRuns(unittest.TestCase):
    def test_a_copy_is_no_second_run_and_a_slower_one_shows(self):
        first, second = made_up(), made_up()
        self.assertEqual(two_runs.compare(first, second), ([], []))
        for result in second["compare-bitnet-3b-1"]["results"]:
            if result["format"] == "ternary":
                result["samples"] = [s * 0.8 for s in result["samples"]]
        rows, single = two_runs.compare(first, second)
        self.assertEqual(single, [])
        decode = [row for row in rows if "3b: decode" in row.name]
        self.assertEqual([row.first.speed for row in decode], [34, 60])
        for row in decode:
            self.assertAlmostEqual(row.difference, -0.2)
        memory, = (row for row in rows if "memory" in row.name)
        self.assertEqual(memory.difference, 0)
        self.assertNotIn("bitnet-1.3b", " ".join(row.name for row in rows))

    def test_ratios_at_different_speeds_are_not_compared(self):
        name = "compare-bitnet-3b-1"
        first = {name: {"results": whole_comparison("bitnet-3b", [SLOW] * 5)}}
        second = {name: {"results": whole_comparison("bitnet-3b",
                                                     [FAST] * 5)}}
        rows, single = two_runs.compare(first, second)
        self.assertEqual([row.name for row in rows], ["bitnet-3b: peak memory"])
        self.assertEqual([(ratio.speed, run) for _, ratio, run in single],
                         [(34, "first"), (60, "second")] * 2)
        text = two_runs.page_of(rows, single).markdown()
        self.assertIn("1 ratios of measurements that were made twice; 0 differ",
                      text)
        self.assertIn("| bitnet-3b: decode, ternary over FP16 | first | 5.00 | "
                      "34 | 5 |", text)


class Pages(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, records, drawn):
        described, _ = recorded()
        pages.write(self.folder, described, records, drawn, quick=False)
        with open(os.path.join(self.folder, "report.md"),
                  encoding="utf-8") as file:
            markdown = file.read()
        with open(os.path.join(self.folder, "report.html"),
                  encoding="utf-8") as file:
            return markdown, file.read()

    def test_the_plots_are_there_twice_and_the_page_needs_nothing_else(self):
        records = made_up()
        drawn = plots.draw_all(self.folder, records, self.fail)
        self.assertEqual(set(drawn), {"speedup", "memory", "roofline",
                                      "threads", "context", "first-token"})
        markdown, page = self.write(records, drawn)
        for name in drawn:
            self.assertIn(f"({name}.svg)", markdown)
            self.assertGreater(
                os.path.getsize(os.path.join(self.folder, name + ".png")), 9000)
        self.assertEqual(page.count("<svg"), len(drawn))
        for outside in (r"\bsrc=", "<link", "<script", "@import",
                        r"href=[\"'](?!#)"):
            self.assertIsNone(re.search(outside, page), outside)
        ids = re.findall(r"\bid=[\"']([^\"']+)", page)
        self.assertEqual(len(ids), len(set(ids)))
        for used in re.findall(r"href=[\"']#([^\"']+)", page):
            self.assertIn(used, ids)

    def test_what_failed_is_told_and_the_rest_is_there(self):
        records = made_up()
        del records["compare-bitnet-3.9b-1"]["results"]
        records["compare-bitnet-3.9b-1"]["failed"] = "needs 7000 MiB | of memory"
        markdown, page = self.write(records, [])
        self.assertIn("What could not be measured here", markdown)
        self.assertIn("needs 7000 MiB", page)
        self.assertIn("| 3B | bitnet-3b |", markdown)
        self.assertNotIn("| 3.9B |", markdown)

    def test_every_row_of_a_table_has_the_columns_of_its_head(self):
        records = made_up()
        markdown, _ = self.write(records, [])
        for table in re.findall(r"(?:^\|.*\|\n)+", markdown, re.M):
            widths = {line.count(" | ") for line in table.splitlines()}
            self.assertEqual(len(widths), 1, table)

    def test_two_speeds_of_memory_are_told_with_their_pairs(self):
        records = made_up()
        records["compare-bitnet-700m-1"]["results"][0]["repeated_rounds"] = 2
        markdown, _ = self.write(records, [])
        for row in ("| 3B | bitnet-3b | 34 | 3 | 40 | 8 | 5.00 |  | 2.71 |",
                    "| 3B | bitnet-3b | 60 | 4 | 60 | 15 | 4.00 |  | 2.71 |",
                    "| 16 | 60 | 4 | 0.267 | 1.067 | 4.00 |"):
            self.assertIn(row, markdown)
        self.assertIn("96 pairs of samples", markdown)
        self.assertIn("the pair was taken again: 2 times; 12 pairs differed",
                      markdown)
        self.assertIn("Memory had two speeds", markdown)

    def test_computed_figures_are_marked(self):
        records = made_up()
        markdown, _ = self.write(records, [])
        self.assertRegex(markdown, r"\| 8B\* \| llama3-8b \|")
        self.assertIn("computed and not measured", markdown)

    def test_nothing_measured_makes_a_page_all_the_same(self):
        markdown, _ = self.write({}, [])
        self.assertIn("Not measured: this machine shows no energy counters",
                      markdown)


class Results(unittest.TestCase):
    """What is committed under papers/results."""

    @staticmethod
    def read(path):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            return file.read()

    def test_the_committed_page_is_that_of_the_committed_figures(self):
        described, records = recorded()
        drawn = [name for name in ("speedup", "memory", "roofline", "threads",
                                   "context", "first-token")
                 if os.path.exists(os.path.join(ROOT, "papers/results",
                                                name + ".svg"))]
        page = pages.make(described, records, drawn, quick=False)
        self.assertEqual(page.markdown(), self.read("papers/results/report.md"))

    def test_every_figure_of_the_readme_is_in_the_results(self):
        text = self.read("README.md")
        section = text[text.index("## What ternary buys"):]
        section = section[:section.index("\n## ", 5)]
        results = "".join(self.read(f"papers/results/{name}.md") for name in
                          ("report", "quality", "bit-flips"))
        found = set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]|\.\d)",
                               results))
        table = [line for line in section.splitlines()
                 if line.startswith("|") and "---" not in line]
        self.assertGreater(len(table), 4)
        for line in table[1:]:
            for cell in line.split("|")[2:]:
                for figure in re.findall(r"\d+(?:\.\d+)?", cell):
                    self.assertIn(figure, found, line)

    def test_the_servers_table_of_streams_is_what_was_measured(self):
        results = measure.load(os.path.join(ROOT,
                                            "papers/results/streams.json"))
        rows = [" | ".join(cells) for head in ("f16", "screened")
                for cells in streams.table(results, head)]
        self.assertEqual(len(rows), 12)
        text = self.read("cli/serve/README.md")
        for row in rows:
            self.assertIn("| " + row + " |", text)


class Energy(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)

    def zone(self, name, microjoules):
        os.makedirs(os.path.join(self.root, name), exist_ok=True)
        for file, value in (("energy_uj", microjoules),
                            ("max_energy_range_uj", 10_000_000)):
            with open(os.path.join(self.root, name, file), "w",
                      encoding="ascii") as out:
                out.write(f"{value}\n")

    def test_packages_are_added_and_a_counter_may_wrap(self):
        self.zone("intel-rapl:0", 9_000_000)
        self.zone("intel-rapl:0:0", 5)  # a part of the first
        self.zone("intel-rapl:1", 1_000_000)
        counters = energy.Counters(self.root)
        self.assertEqual(counters.names, ["intel-rapl:0", "intel-rapl:1"])
        before = counters.read()
        self.zone("intel-rapl:0", 1_000_000)
        self.zone("intel-rapl:1", 3_500_000)
        self.assertAlmostEqual(counters.joules_since(before), 2 + 2.5)

    def test_no_counters_is_a_measurement_that_cannot_be_made(self):
        bench = object.__new__(measure.Bench)
        bench.powercap = os.path.join(self.root, "nothing")
        with self.assertRaisesRegex(measure.Failed, "no readable RAPL"):
            bench.run(plan.Measurement("energy-f16", "energy", ()))

    def test_loading_cancels_between_a_short_and_a_long_run(self):
        self.zone("intel-rapl:0", 0)
        bench = object.__new__(measure.Bench)
        bench.powercap = self.root
        used = [0]

        def run(arguments):  # 3 J to load, half a joule a token
            tokens = int(arguments[arguments.index("-n") + 1])
            used[0] += 3_000_000 + 4 * tokens * 500_000
            self.zone("intel-rapl:0", used[0])
        bench._bench = run  # pylint: disable=protected-access
        result = bench.run(plan.Measurement("energy-f16", "energy", ("-r",)))
        self.assertAlmostEqual(result["joules_per_token"], 0.5)

    def test_the_papers_ratio_comes_out_of_its_table(self):
        self.assertAlmostEqual(energy.paper_ratio(), 71.4, 1)
        counts = instructions.empty()
        counts["add_lanes"]["1"] = 1
        counts["shuffled_bytes"] = 1
        self.assertAlmostEqual(energy.picojoules(counts)["arithmetic"], 0.007)
        self.assertAlmostEqual(energy.picojoules(counts)["with_look_ups"],
                               0.014)


if __name__ == "__main__":
    unittest.main()
