"""What the measurements say: rows and ratios, ready to be drawn and written.

Where f16 is too large to be measured, tern bench computes it from layers of the
same shape that it measures in turn with ternary; `computed` is set then.

Ratios of speed are medians of the ratios of neighbouring samples, one for each
speed of the memory (pairs.py).  A comparison is made in several runs, spread
over the report: where a program's memory lies, and which minute it is, makes
some percent for all samples of a run.
"""
import dataclasses
import statistics
import typing

import pairs
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
    weights_bytes: float
    layers_bytes: float
    cache_bytes: float  # of CONTEXT positions
    scratch_bytes: float
    peak_bytes: typing.Optional[float]  # None: not measured
    computed: bool = False


@dataclasses.dataclass
class Size:
    shape: str
    ternary: Side
    f16: Side
    # For each speed of the memory, the slower first.
    decode: typing.List[pairs.Figure]
    prefill: typing.List[pairs.Figure]

    @property
    def label(self):
        return LABELS[self.shape] + ("*" if self.f16.computed else "")

    @property
    def weights_ratio(self):
        return self.f16.weights_bytes / self.ternary.weights_bytes

    @property
    def peak_ratio(self):
        """Of the resident sets; None where f16 was not measured."""
        if not (self.f16.peak_bytes and self.ternary.peak_bytes):
            return None
        return self.f16.peak_bytes / self.ternary.peak_bytes

    @property
    def context_ratio(self):
        """Of weights, a cache of CONTEXT positions and scratch."""
        f16, ternary = (side.weights_bytes + side.cache_bytes +
                        side.scratch_bytes for side in (self.f16, self.ternary))
        return f16 / ternary


def _cache_of_context(results):
    """bench's cache is just long enough for its longest test."""
    positions = max(r["context"] for r in results) + 1
    held = (positions + _BLOCK - 1) // _BLOCK * _BLOCK
    return results[0]["cache_bytes"] / held * CONTEXT


def _side(parts, form):
    of_form = [r for results in parts for r in results if r["format"] == form]
    first = of_form[0]
    computed = "computed_from_layers" in first
    peak = None if computed else statistics.median(
        r["peak_rss_bytes"] for r in of_form)
    return Side(first["weights_bytes"], first["layers_bytes"],
                _cache_of_context(of_form), first["scratch_bytes"], peak,
                computed)


def _results(records, name):
    return records.get(name, {}).get("results")


def _parts(records, name):
    """The results of the runs that one comparison is made in."""
    return [results for results in (_results(records, part)
                                    for part in plan.parts(name)) if results]


def _pairs(records, name, test):
    return [pair for results in _parts(records, name)
            for pair in pairs.of(results, test)]


def _compared(records):
    """(name, test) of all that ternary and f16 were measured in turn on."""
    found = []
    for name in plan.COMPARISONS:
        tests = {r["test"]: None for results in _parts(records, name)
                 for r in results}
        found += [(name, test) for test in tests]
    return found


def prompts(records):
    """Lengths of the prompts of the comparisons of sizes, tokens."""
    return sorted({int(test[2:]) for name, test in _compared(records)
                   if test.startswith("pp") and name not in plan.FIRST_TOKEN})


def all_pairs(records, names=None):
    """Of all comparisons, or of those named."""
    return [pair for name, test in _compared(records)
            if names is None or name in names
            for pair in _pairs(records, name, test)]


def repeated_rounds(records):
    """Pairs that were taken again because memory changed meanwhile."""
    return sum(r["repeated_rounds"] for name in plan.COMPARISONS
               for results in _parts(records, name) for r in results
               if r["format"] == "ternary")


def sizes(records):
    """All sizes that were measured, smallest first."""
    found = []
    cut = pairs.border(all_pairs(records))
    for shape in plan.COMPARED + plan.COMPUTED:
        name = f"compare-{shape}"
        parts = _parts(records, name)
        if parts:
            found.append(Size(
                shape, _side(parts, "ternary"), _side(parts, "f16"),
                *(pairs.by_speed(_pairs(records, name, test), cut)
                  for test in ("tg", "pp"))))
            if found[-1].f16.computed:  # its own lacks the head's outputs
                found[-1].f16.scratch_bytes = found[-1].ternary.scratch_bytes
    return found


def threads(records):
    """[(threads, decode, prefill)] of plan.MODEL."""
    results = _results(records, "threads") or []
    return [(n, *(next(r["tokens_per_second"] for r in results
                       if r["threads"] == n and r["test"].startswith(kind))
                  for kind in ("tg", "pp")))
            for n in sorted({r["threads"] for r in results})]


def contexts(records, kv):
    """[(tokens in the context, tokens/s, GB/s of reading)] of plan.MODEL."""
    rows = []
    for depth in plan.DEPTHS:
        results = _results(records, f"context-{kv}-{depth}")
        if results:
            rows.append((results[0]["depth"], *_with_speed(results[0])))
    return rows


def first_token(records):
    """[(tokens of the prompt, figures by speed of memory)] of bitnet-1.3b."""
    cut = pairs.border(all_pairs(records))
    return sorted((int(test[2:]),
                   pairs.by_speed(_pairs(records, name, test), cut))
                  for name, test in _compared(records)
                  if name in plan.FIRST_TOKEN)


def heads(records):
    """[(form of the head, tokens/s, GB/s of reading, bytes a token)] of
    plan.MODEL."""
    return [(r["head"], *_with_speed(r), r["bytes_read_per_token"])
            for r in _results(records, "heads") or []]


def _with_speed(result):
    """Tokens/s, and GB/s of all threads reading beside it."""
    return result["tokens_per_second"], result["read_bandwidth_gb_s"]


def _rates_by_process(records, choose):
    """[(name, threads) -> GMAC/s, chosen of a process's repetitions]."""
    found = []
    for part in plan.parts("kernels-ternary"):
        for process in _results(records, part) or []:
            rates = {}
            for bench in process:
                if bench["run_type"] == "iteration":
                    name, *_, tokens, threads, _ = bench["run_name"].split("/")
                    rates.setdefault((f"{name} {tokens}", int(threads)),
                                     []).append(bench["GMAC/s"])
            found.append({key: choose(of) for key, of in rates.items()})
    return found


def ceilings(records):
    """Name -> GMAC/s of all threads with weights in the caches, the best: a
    roof is what can be reached."""
    found = _rates_by_process(records, max)
    most = max((threads for rates in found for _, threads in rates), default=0)
    rates = {name: max(rates[name, most] for rates in found)
             for name, threads in (found[0] if found else ())
             if threads == most}
    for bench in (_results(records, "kernels-f16") or [[]])[0]:
        rates["f16"] = bench["tern_GMAC/s"]
        rates["OpenBLAS f32"] = bench["openblas_GMAC/s"]
    return rates


def yardstick_ratios(records):
    """Tokens -> times the multiply-add yardstick on one thread, the median of
    processes: where a process's memory lies makes up to 5 %."""
    found = _rates_by_process(records, statistics.median)
    return {tokens: statistics.median(rates[f"{kernel} {tokens}", 1] /
                                      rates[f"MultiplyAdd {tokens}", 1]
                                      for rates in found)
            for tokens, kernel in ((1, "MatVec"), (256, "MatMul")) if found}


def roofline(records):
    """[(label, format, test, MAC a byte, GMAC/s)] of what was measured."""
    points = []
    for shape in plan.COMPARED + plan.COMPUTED:
        parts = _parts(records, f"compare-{shape}")
        for r in parts[0] if parts else []:
            if "computed_from_layers" in r:
                continue
            macs = r["layer_weights"]
            speed = statistics.median(
                s for results in parts for other in results
                if (other["format"], other["test"]) == (r["format"], r["test"])
                for s in other["samples"])
            points.append((LABELS[r["model"]], r["format"], r["test"][:2],
                           macs / r["bytes_read_per_token"],
                           macs * speed / 1e9))
    return points


def bandwidth(records):
    """GB/s, all threads: the least and the most of the pairs during which it
    did not change."""
    speeds = [pair.speed for pair in all_pairs(records) if pair.steady]
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
