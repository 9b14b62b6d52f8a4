"""What the measurements say: rows and ratios, ready to be drawn and written.

Where f16 is too large to be measured it is computed, with `computed` set:
decoding as the read bandwidth of the same run over the bytes of a token, all of
which it would have to reach; prefill at the rate in GMAC/s that the largest
measured f16 model reached.  Both flatter f16, so the ratio is a lower bound.

Ratios of speed are medians of the ratios of neighbouring samples, as tern bench
makes them (cli/README.md): a shared machine is faster in some seconds than in
others, for both sides at once.
"""
import dataclasses
import statistics
import typing

import plan

# Speed of decoding and memory against f16, on GPUs: arXiv 2402.17764, table 1
# and figure 2.
PAPER_SPEED = {"bitnet-700m": 1.23, "bitnet-1.3b": 1.67, "bitnet-3b": 2.71,
               "bitnet-3.9b": 2.40, "13b": 3.68, "70b": 4.10}
PAPER_MEMORY = {"bitnet-700m": 2.60, "bitnet-1.3b": 2.93, "bitnet-3b": 3.55,
                "bitnet-3.9b": 3.32, "13b": 5.12, "70b": 7.16}
LABELS = {"bitnet-700m": "700M", "bitnet-1.3b": "1.3B", "bitnet-3b": "3B",
          "bitnet-3.9b": "3.9B", "bitnet-2b4t": "2B4T", "llama3-8b": "8B",
          "falcon3-10b": "10B", "13b": "13B", "70b": "70B"}
CONTEXT = 2048  # positions of the cache in the memory table
_BLOCK = 64  # positions that the cache grows by (ternary_kernels/cache_block.h)


@dataclasses.dataclass
class Side:
    """One format of one size."""
    decode: float  # tokens/s
    prefill: float
    decode_bytes: float  # read a token
    weights_bytes: float
    layers_bytes: float
    cache_bytes: float  # of CONTEXT positions
    scratch_bytes: float
    peak_bytes: typing.Optional[float]  # None: not measured
    computed: bool = False


@dataclasses.dataclass
class Size:
    shape: str
    layer_weights: int
    bandwidth: float  # bytes/s
    ternary: Side
    f16: Side
    decode_ratio: float  # of speed, ternary over f16
    prefill_ratio: float

    @property
    def label(self):
        return LABELS[self.shape] + ("*" if self.f16.computed else "")

    @property
    def weights_ratio(self):
        return self.f16.weights_bytes / self.ternary.weights_bytes

    @property
    def memory_ratio(self):
        """Of peak memory; of weights, cache and scratch where f16 was not
        measured."""
        sides = (self.f16, self.ternary)
        if all(side.peak_bytes for side in sides):
            return self.f16.peak_bytes / self.ternary.peak_bytes
        f16, ternary = (side.weights_bytes + side.cache_bytes +
                        side.scratch_bytes for side in sides)
        return f16 / ternary


def _pick(results, form, kind):
    return next(r for r in results
                if r["format"] == form and r["test"].startswith(kind))


def _cache_of_context(results):
    """bench's cache is just long enough for its longest test."""
    positions = max(r["context"] for r in results) + 1
    held = (positions + _BLOCK - 1) // _BLOCK * _BLOCK
    return results[0]["cache_bytes"] / held * CONTEXT


def _measured(results, form):
    decode, prefill = (_pick(results, form, kind) for kind in ("tg", "pp"))
    return Side(decode["tokens_per_second"], prefill["tokens_per_second"],
                decode["bytes_read_per_token"], decode["weights_bytes"],
                decode["layers_bytes"], _cache_of_context(results),
                decode["scratch_bytes"], decode["peak_rss_bytes"])


def times_f16(results, test):
    """How many times as fast as f16: neighbouring samples of one test."""
    ternary, f16 = (next(r["samples"] for r in results if r["format"] == form
                         and r["test"].startswith(test))
                    for form in ("ternary", "f16"))
    return statistics.median(a / b for a, b in zip(ternary, f16))


def _computed(ternary, weights, bandwidth, macs_per_second):
    more = 2 * weights - ternary.layers_bytes
    decode_bytes = ternary.decode_bytes + more
    return dataclasses.replace(
        ternary, decode=bandwidth / decode_bytes,
        prefill=macs_per_second / weights, decode_bytes=decode_bytes,
        weights_bytes=ternary.weights_bytes + more, layers_bytes=2 * weights,
        peak_bytes=None, computed=True)


def _results(records, name):
    return records.get(name, {}).get("results")


def sizes(records):
    """All sizes that were measured, smallest first."""
    found = []
    macs_per_second = 0
    for shape in plan.COMPARED + plan.ALONE:
        results = (_results(records, f"compare-{shape}") or
                   _results(records, f"alone-{shape}"))
        if not results:
            continue
        weights = results[0]["layer_weights"]
        decode = _pick(results, "ternary", "tg")
        bandwidth = decode["read_bandwidth_gb_s"] * 1e9
        ternary = _measured(results, "ternary")
        if any(r["format"] == "f16" for r in results):
            f16 = _measured(results, "f16")
            macs_per_second = f16.prefill * weights
            ratios = (times_f16(results, "tg"), times_f16(results, "pp"))
        elif macs_per_second:
            f16 = _computed(ternary, weights, bandwidth, macs_per_second)
            share = decode["percent_of_bandwidth"] / 100
            ratios = (share * f16.decode_bytes / ternary.decode_bytes,
                      ternary.prefill / f16.prefill)
        else:
            continue  # nothing to compute prefill from
        found.append(Size(shape, weights, bandwidth, ternary, f16, *ratios))
    return found


def threads(records):
    """[(threads, decode, prefill)] of plan.MODEL."""
    results = _results(records, "threads") or []
    return [(n, *(next(r["tokens_per_second"] for r in results
                       if r["threads"] == n and r["test"].startswith(kind))
                  for kind in ("tg", "pp")))
            for n in sorted({r["threads"] for r in results})]


def contexts(records, kv):
    """[(tokens in the context, tokens/s)] of plan.MODEL."""
    rows = []
    for depth in plan.DEPTHS:
        results = _results(records, f"context-{kv}-{depth}")
        if results:
            rows.append((results[0]["depth"], results[0]["tokens_per_second"]))
    return rows


def first_token(records, form):
    """[(tokens of the prompt, seconds)] of bitnet-1.3b."""
    return [(int(r["test"][2:]), r["seconds_to_first_token"])
            for r in _results(records, "first-token") or []
            if r["format"] == form]


def first_token_ratios(records):
    """[(tokens of the prompt, how many times sooner than f16)]."""
    results = _results(records, "first-token") or []
    return [(int(r["test"][2:]), times_f16(results, r["test"]))
            for r in results if r["format"] == "ternary"]


def heads(records):
    """[(form of the head, tokens/s, bytes a token)] of plan.MODEL."""
    return [(r["head"], r["tokens_per_second"], r["bytes_read_per_token"])
            for r in _results(records, "heads") or []]


def ceilings(records):
    """Name -> GMAC/s with weights in the caches, medians."""
    rates = {}
    for bench in _results(records, "kernels-ternary") or []:
        if bench.get("aggregate_name") != "median":
            continue
        tokens = bench["run_name"].split("/")[-3]
        kind = bench["run_name"].split("/")[0]
        rates[f"{kind} {tokens}"] = bench["GMAC/s"]
    for bench in _results(records, "kernels-f16") or []:
        rates["f16"] = bench["tern_GMAC/s"]
        rates["OpenBLAS f32"] = bench["openblas_GMAC/s"]
    return rates


def roofline(records):
    """[(label, format, test, MAC a byte, GMAC/s)]."""
    points = []
    for name in [f"compare-{s}" for s in plan.COMPARED] + [
            f"alone-{s}" for s in plan.ALONE]:
        for r in _results(records, name) or []:
            macs = r["layer_weights"]
            points.append((LABELS[r["model"]], r["format"], r["test"][:2],
                           macs / r["bytes_read_per_token"],
                           macs * r["tokens_per_second"] / 1e9))
    return points


def bandwidth(records):
    """bytes/s, all threads: the least and the most over the runs."""
    speeds = [r["read_bandwidth_gb_s"] for record in records.values()
              for r in record.get("results") or []
              if isinstance(r, dict) and "read_bandwidth_gb_s" in r and
              record["name"] != "threads"]
    return (min(speeds), max(speeds)) if speeds else (0, 0)


def kernel_counts(records):
    results = _results(records, "instructions")
    return results["kernels"] if results else []


def joules(records, form):
    results = _results(records, f"energy-{form}")
    return results["joules_per_token"] if results else None


def failures(records):
    return [(name, record["failed"]) for name, record in records.items()
            if "failed" in record]
