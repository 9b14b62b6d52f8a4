"""Samples of ternary and f16 that were taken one after the other, and how fast
memory was read around them.

The cores of a virtual machine may share a path to memory in one minute and have
one each in the next.  Then memory is twice as fast, which FP16 gains more from
than ternary: such a machine has two ratios, and each is told beside the speed
that it belongs to.
"""
import dataclasses
import math
import statistics
import typing

STEADY = 1.15  # as in cli/bench_figures.cc
APART = 1.25  # two speeds of a machine; noise of one is within 10 %


@dataclasses.dataclass(frozen=True)
class Pair:
    ternary: float  # tokens/s
    f16: float
    readings: typing.Tuple[float, ...]  # GB/s before, between and after
    f16_bytes: float  # read a token

    @property
    def ratio(self):
        return self.ternary / self.f16

    @property
    def speed(self):
        return statistics.median(self.readings)

    @property
    def steady(self):
        return max(self.readings) <= STEADY * min(self.readings)

    @property
    def least(self):
        """The ratio if FP16 read its bytes as fast as memory was read."""
        return self.ternary * self.f16_bytes / (self.speed * 1e9)


@dataclasses.dataclass(frozen=True)
class Figure:
    """Medians of the pairs that were taken at one speed of the memory."""
    speed: float  # GB/s
    pairs: int
    ternary: float
    f16: float
    ratio: float
    least: float


def of(results, test):
    """The pairs of a test, of the results of one `tern bench --compare`."""
    ternary, f16 = (next(r for r in results if r["format"] == form and
                         r["test"].startswith(test))
                    for form in ("ternary", "f16"))
    return [Pair(*row[:2], row[2:], f16["bytes_read_per_token"])
            for row in zip(ternary["samples"], f16["samples"],
                           ternary["bandwidths_before"], ternary["bandwidths"],
                           f16["bandwidths"])]


def border(pairs):
    """The speed between the slower and the faster memory, None where there is
    one speed.  Of all cuts of the sorted logarithms that which leaves the least
    variance within the two parts (Otsu 1979)."""
    speeds = sorted(math.log(pair.speed) for pair in pairs if pair.steady)
    if len(speeds) < 2:
        return None

    def within(cut):
        return sum(statistics.pvariance(part) * len(part)
                   for part in (speeds[:cut], speeds[cut:]))
    cut = min(range(1, len(speeds)), key=within)
    low, high = (statistics.fmean(part) for part in (speeds[:cut],
                                                     speeds[cut:]))
    return math.exp((low + high) / 2) if high - low > math.log(APART) else None


def _figure(pairs):
    def median(name):
        return statistics.median(getattr(pair, name) for pair in pairs)
    return Figure(median("speed"), len(pairs), median("ternary"),
                  median("f16"), median("ratio"), median("least"))


def by_speed(pairs, cut):
    """A figure for each speed of the memory, the slower first; of pairs during
    which it did not change, or, if there are none, of all."""
    chosen = [pair for pair in pairs if pair.steady] or pairs
    if cut is None:
        return [_figure(chosen)]
    parts = ([pair for pair in chosen if pair.speed < cut],
             [pair for pair in chosen if pair.speed >= cut])
    return [_figure(part) for part in parts if part]


def alike(one, two):
    """Whether two speeds are of the same memory."""
    return max(one, two) <= APART * min(one, two)


def usual_speed(pairs):
    """The speed at which most pairs were taken."""
    found = by_speed(pairs, border(pairs))
    return max(found, key=lambda figure: figure.pairs).speed


def at(found, speed):
    """The figure at a speed, or None."""
    return next((f for f in found if alike(f.speed, speed)), None)
