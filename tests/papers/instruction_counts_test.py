"""The ternary kernels ran no multiplication, and as many additions and look-ups
as their structure says; the FP16 kernel ran one multiplication a weight."""
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../papers/report"))
import instructions  # noqa: E402 (the path comes first)

PROGRAM = sys.argv.pop()


class Counts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        text = subprocess.run([PROGRAM], capture_output=True, text=True,
                              check=True).stdout
        cls.counts = {
            kernel["name"]: kernel["per_weight"] for kernel
            in instructions.summarise(json.loads(text), PROGRAM)["kernels"]}

    def test_ternary_kernels_multiply_nothing(self):
        for name in ("ternary, one token", "ternary, a tile of tokens"):
            counts = self.counts[name]
            self.assertEqual(counts["integer_multiply_lanes"], 0, name)
            self.assertEqual(counts["float_multiply_lanes"], 0, name)
            self.assertEqual(counts["float_add_lanes"], 0, name)

    def test_one_token_looks_up_a_byte_a_weight_and_adds_it(self):
        # A nibble is two weights: two look-ups (low part, rest), each added.
        # The rest are tables, made once for all rows.
        counts = self.counts["ternary, one token"]
        self.assertGreaterEqual(counts["shuffled_bytes"], 1.0)
        self.assertLess(counts["shuffled_bytes"], 1.05)
        self.assertGreaterEqual(counts["add_lanes"]["1"], 1.0)
        self.assertLess(counts["add_lanes"]["1"], 1.05)

    def test_a_tile_of_tokens_adds_once_for_four_weights(self):
        # One 16-bit addition a table entry of four columns; 81 more make a
        # table that 1152 rows share.
        counts = self.counts["ternary, a tile of tokens"]
        self.assertGreaterEqual(counts["add_lanes"]["2"], 0.25)
        self.assertLess(counts["add_lanes"]["2"], 0.30)

    def test_f16_multiplies_once_a_weight(self):
        for name in ("f16, one token", "f16, 32 tokens"):
            counts = self.counts[name]
            self.assertAlmostEqual(counts["float_multiply_lanes"], 1, 6, name)
            self.assertLess(counts["float_add_lanes"], 1.1, name)


if __name__ == "__main__":
    unittest.main()
