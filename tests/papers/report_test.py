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
import plan  # noqa: E402
import plots  # noqa: E402
import streams  # noqa: E402
import two_runs  # noqa: E402

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


class Figures(unittest.TestCase):
    def test_ratios_are_those_of_the_recorded_figures(self):
        _, records = recorded()
        first = figures.sizes(records)[0]
        samples = {(r["format"], r["test"][:2]): r["samples"]
                   for r in records["compare-bitnet-700m"]["results"]}
        for kind, ratio in (("tg", first.decode_ratio),
                            ("pp", first.prefill_ratio)):
            pairs = sorted(a / b for a, b in zip(samples["ternary", kind],
                                                 samples["f16", kind]))
            self.assertEqual(ratio, pairs[len(pairs) // 2])
        self.assertFalse(first.f16.computed)

    def test_a_machine_that_is_slow_for_both_sides_changes_no_ratio(self):
        results = [{"format": "ternary", "test": "tg8",
                    "samples": [60, 30, 63, 32, 64]},
                   {"format": "f16", "test": "tg8",
                    "samples": [15, 6, 21, 8, 16]}]
        self.assertEqual(figures.times_f16(results, "tg"), 4)

    def test_the_computed_side_reads_all_of_its_bytes_at_full_bandwidth(self):
        _, records = recorded()
        last = next(s for s in figures.sizes(records)
                    if s.shape == "llama3-8b")
        self.assertEqual(last.label, "8B*")
        self.assertTrue(last.f16.computed)
        r = records["alone-llama3-8b"]["results"][-1]
        size = (r["bytes_read_per_token"] - r["layers_bytes"] +
                2 * r["layer_weights"])
        self.assertAlmostEqual(last.f16.decode,
                               r["read_bandwidth_gb_s"] * 1e9 / size)
        measured = next(s for s in figures.sizes(records)
                        if s.shape == "bitnet-3.9b")
        self.assertAlmostEqual(last.f16.prefill * last.layer_weights,
                               measured.f16.prefill * measured.layer_weights)

    def test_a_size_without_a_measured_side_is_left_out(self):
        _, records = recorded()
        del records["compare-bitnet-1.3b"]
        self.assertNotIn("bitnet-1.3b",
                         [s.shape for s in figures.sizes(records)])
        self.assertEqual(figures.sizes({}), [])

    def test_the_cache_is_that_of_2048_positions(self):
        # 2 x 24 layers x 16 heads of 96 x 2 bytes x 2048.
        _, records = recorded()
        self.assertEqual(figures.sizes(records)[0].ternary.cache_bytes,
                         2 * 24 * 16 * 96 * 2 * 2048)


class TwoRuns(unittest.TestCase):
    def test_a_copy_is_no_second_run_and_a_slower_one_shows(self):
        _, first = recorded()
        _, second = recorded()
        self.assertEqual(two_runs.compare(first, second), [])
        for result in second["compare-bitnet-3b"]["results"]:
            if result["format"] == "ternary":
                result["samples"] = [s * 0.8 for s in result["samples"]]
        rows = {row.name: row for row in two_runs.compare(first, second)}
        decode = rows["bitnet-3b: decode, ternary over FP16"]
        self.assertAlmostEqual(decode.difference, -0.2)
        self.assertTrue(decode.same_memory)
        self.assertEqual(rows["bitnet-3b: memory"].difference, 0)
        self.assertNotIn("bitnet-1.3b: memory", rows)


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
        _, records = recorded()
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
        _, records = recorded()
        del records["compare-bitnet-3.9b"]["results"]
        records["compare-bitnet-3.9b"]["failed"] = "needs 7000 MiB | of memory"
        markdown, page = self.write(records, [])
        self.assertIn("What could not be measured here", markdown)
        self.assertIn("needs 7000 MiB", page)
        self.assertIn("| 3B | bitnet-3b |", markdown)
        self.assertNotIn("| 3.9B |", markdown)

    def test_every_row_of_a_table_has_the_columns_of_its_head(self):
        _, records = recorded()
        markdown, _ = self.write(records, [])
        for table in re.findall(r"(?:^\|.*\|\n)+", markdown, re.M):
            widths = {line.count(" | ") for line in table.splitlines()}
            self.assertEqual(len(widths), 1, table)

    def test_computed_figures_are_marked(self):
        _, records = recorded()
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
        rows = [" | ".join(cells) for cells in streams.table(results)]
        self.assertEqual(len(rows), 6)
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
