"""What the trained models and the kernels are put through: flipped bits,
logits beside the reference's, counts of instructions, ratios of bench-check."""
import json
import os
import random
import shutil
import struct
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../..")
sys.path.insert(0, os.path.join(ROOT, "papers/report"))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import bench_check  # noqa: E402 (the paths come first)
import bit_flips  # noqa: E402
import instructions  # noqa: E402
import quality  # noqa: E402
import safetensors  # noqa: E402


class Instructions(unittest.TestCase):
    def count(self, name, operands):
        total = instructions.empty()
        instructions.add(total, name, operands, 1)
        return total

    def test_each_kind_is_counted_by_its_lanes(self):
        for name, operands, key, expected in (
                ("vpshufb", "%zmm1,%zmm2,%zmm3", "shuffled_bytes", 64),
                ("pshufb", "%xmm1,%xmm2", "shuffled_bytes", 16),
                ("vpmaddubsw", "%ymm0,%ymm1,%ymm2",
                 "integer_multiply_lanes", 8),
                ("vpmulld", "%zmm0,%zmm1,%zmm2", "integer_multiply_lanes", 16),
                ("vfmadd231ps", "%zmm0,%zmm1,%zmm2",
                 "float_multiply_lanes", 16),
                ("vfmadd231ps", "%zmm0,%zmm1,%zmm2", "float_add_lanes", 16),
                ("mulss", "%xmm0,%xmm1", "float_multiply_lanes", 1),
                ("vmovdqa64", "0x40(%rax,%rcx,1),%zmm3", "loaded_bytes", 64),
                ("vbroadcasti32x4", "(%rax),%zmm3", "loaded_bytes", 16),
                ("vcvtph2ps", "(%rax),%zmm3", "loaded_bytes", 32),
                ("movzbl", "(%rax,%rdx,1),%ecx", "loaded_bytes", 1),
                ("mov", "(%rax),%rcx", "loaded_bytes", 8),
                ("vmovdqu", "%ymm1,(%rdi)", "stored_bytes", 32),
                ("prefetcht1", "(%rax)", "loaded_bytes", 0),
                ("lea", "(%rax,%rax,2),%rcx", "loaded_bytes", 0)):
            self.assertEqual(self.count(name, operands)[key], expected, name)
        adds = self.count("vpaddw", "0x40(%rax),%zmm1,%zmm1")
        self.assertEqual(adds["add_lanes"], {"1": 0, "2": 32, "4": 0})
        self.assertEqual(adds["loaded_bytes"], 64)


class BitFlips(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        header = {name: {"dtype": "U8", "shape": [4, 2],
                         "data_offsets": [begin, begin + 8]}
                  for name, begin in (("embed_tokens.weight", 0),
                                      ("a.q_proj.weight", 8),
                                      ("a.o_proj.weight", 16))}
        text = json.dumps(header).encode()
        self.data = bytes(range(24))
        with open(os.path.join(self.folder, "model.safetensors"), "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + self.data)
        self.weights = bit_flips.Weights(self.folder)

    def read(self):
        with open(self.weights.path, "rb") as file:
            return file.read()[-24:]

    def test_so_many_bits_of_the_linear_layers_flip_and_flip_back(self):
        self.assertEqual(self.weights.bits, 128)
        masks = bit_flips.draw_flips(self.weights, 100, "seed")
        self.weights.change(masks)
        flipped = sum(bin(a ^ b).count("1")
                      for a, b in zip(self.data, self.read()))
        self.assertEqual(flipped, 100)
        self.assertEqual(self.read()[:8], self.data[:8])  # the embedding
        self.weights.change(masks)
        self.assertEqual(self.read(), self.data)

    def test_codes_of_3_are_mended_and_counted(self):
        self.assertEqual(bit_flips.mend(0b11_01_11_10, 1), (0b01_01_01_10, 2))
        self.assertEqual(bit_flips.mend(0b11_01_00_10, 2), (0b10_01_00_10, 1))
        self.assertEqual(bit_flips.mend(0b00_01_00_10, 2), (0b00_01_00_10, 0))

    def test_quartiles_of_refused_models_are_infinite(self):
        rows = [{"flips": 1, "p": p} for p in (1, 2, 3, 4, 5, 6, 7, float("inf"))]
        self.assertEqual(bit_flips.quartiles(rows, "p", 1), (3, 4.5, 6))


class Quality(unittest.TestCase):
    def test_equal_logits_agree_and_a_shift_of_all_changes_no_probability(self):
        same = quality.compare_logits([1.0, 2.0, 4.0], [1.0, 2.0, 4.0])
        self.assertEqual((same["rms"], same["largest"]), (0, 0))
        self.assertTrue(same["same_winner"])
        shifted = quality.compare_logits([2.0, 3.0, 5.0], [1.0, 2.0, 4.0])
        self.assertAlmostEqual(shifted["kl"], 0)
        self.assertEqual(shifted["largest"], 1)
        other = quality.compare_logits([4.0, 2.0, 1.0], [1.0, 2.0, 4.0])
        self.assertFalse(other["same_winner"])
        self.assertGreater(other["kl"], 1)

    def test_safetensors_are_read_by_their_header(self):
        path = os.path.join(tempfile.mkdtemp(), "x.safetensors")
        self.addCleanup(shutil.rmtree, os.path.dirname(path))
        text = json.dumps({"__metadata__": {}, "ids": {
            "dtype": "I32", "shape": [2, 2], "data_offsets": [4, 20]}}).encode()
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text +
                       struct.pack("<5i", 9, 1, 2, 3, 4))
        self.assertEqual(safetensors.File(path).rows("ids"), [[1, 2], [3, 4]])


class BenchCheck(unittest.TestCase):
    BASELINE = {"a": 2.0, "b": 0.5}

    def worst(self, ratios):
        """The least of what compare() says of a group with these ratios, one
        dict a try."""
        tries = iter(ratios)
        return min(bench_check.compare(self.BASELINE, lambda: next(tries),
                                       lambda text: None).values())

    def test_a_kernel_that_takes_10_percent_longer_is_seen(self):
        noise = random.Random(1)
        for _ in range(200):
            # The baseline is the best of several runs.
            slow = [{"a": 2.0 / 1.1 * noise.uniform(0.94, 1.01), "b": 0.5}
                    for _ in range(bench_check.TRIES)]
            self.assertLess(self.worst(slow), bench_check.LIMIT)

    def test_noise_is_measured_again_and_passes(self):
        self.assertGreaterEqual(
            self.worst([{"a": 1.7, "b": 0.5}, {"a": 1.97, "b": 0.4}]),
            bench_check.LIMIT)

    def test_a_single_quiet_run_is_enough(self):
        self.assertEqual(self.worst([{"a": 2.0, "b": 0.5}]), 1)


if __name__ == "__main__":
    unittest.main()
