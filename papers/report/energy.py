"""Joules: the processor's own counters, or a model of operations.

The model is that of the b1.58 paper (arXiv 2402.17764, figure 3): so many
picojoules an operation in a 7 nm process.  What it lacks: memory, caches,
control, leakage.  Integer operations of 16 bits are taken at twice those of 8;
the table's 32 bits (0.03) are 4.3 times them.  It has nothing for a table
look-up; a byte of a shuffle is taken as an 8-bit addition, and the sum with and
without them is told.
"""
import os

PJ_INT8_ADD = 0.007
PJ_INT_ADD = {1: PJ_INT8_ADD, 2: 2 * PJ_INT8_ADD, 4: 0.03}  # by bytes
PJ_FP16 = {"add": 0.16, "mul": 0.34}
PJ_FP32 = {"add": 0.38, "mul": 1.31}


class Counters:
    """The packages' RAPL counters below a powercap folder."""

    def __init__(self, root):
        self._paths = []
        self.names = []
        zones = sorted(os.listdir(root)) if os.path.isdir(root) else []
        for zone in zones:
            # intel-rapl:0 is a package; intel-rapl:0:1 a part of it.
            if not zone.startswith("intel-rapl:") or zone.count(":") != 1:
                continue
            path = os.path.join(root, zone)
            if _number(os.path.join(path, "energy_uj")) is not None:
                self._paths.append(path)
                self.names.append(zone)

    @property
    def found(self):
        return bool(self._paths)

    def read(self):
        return [_number(os.path.join(path, "energy_uj"))
                for path in self._paths]

    def joules_since(self, before):
        total = 0
        for path, old, new in zip(self._paths, before, self.read()):
            if new < old:  # it wrapped
                new += _number(os.path.join(path, "max_energy_range_uj")) or 0
            total += new - old
        return total / 1e6


def _number(path):
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def picojoules(counts):
    """Of one kernel's operations a weight and token, as count_instructions
    gives them: {"arithmetic", "with_look_ups"}."""
    arithmetic = sum(PJ_INT_ADD[size] * counts["add_lanes"][str(size)]
                     for size in PJ_INT_ADD)
    arithmetic += counts["float_multiply_lanes"] * PJ_FP32["mul"]
    arithmetic += counts["float_add_lanes"] * PJ_FP32["add"]
    return {"arithmetic": arithmetic,
            "with_look_ups": arithmetic +
            counts["shuffled_bytes"] * PJ_INT8_ADD}


def paper_ratio():
    """71.4: an FP16 multiplication and addition over an INT8 addition."""
    return (PJ_FP16["add"] + PJ_FP16["mul"]) / PJ_INT8_ADD
