"""The report as Markdown and as one HTML file."""
import html
import os

import energy
import figures
import pairs
import plan

GB = 1e9
_CAPTIONS = {
    "speedup": "How many times as fast as FP16",
    "memory": "Memory by size",
    "roofline": "Roofline: what bounds each",
    "threads": "Tokens/s by threads",
    "context": "Decode by length of the context",
    "first-token": "Time to the first token",
    "bit-flips": "Perplexity by flipped bits",
}


class Page:
    """Blocks that become Markdown or HTML: headings, paragraphs, tables,
    plots."""

    def __init__(self):
        self.blocks = []

    def heading(self, level, text):
        self.blocks.append(("heading", level, text))

    def text(self, text):
        self.blocks.append(("text", text))

    def table(self, header, rows):
        self.blocks.append(("table", header, rows))

    def plot(self, name):
        self.blocks.append(("plot", name))

    def markdown(self):
        parts = []
        for kind, *rest in self.blocks:
            if kind == "heading":
                parts.append("#" * rest[0] + " " + rest[1])
            elif kind == "text":
                parts.append(rest[0])
            elif kind == "plot":
                parts.append(f"![{_CAPTIONS[rest[0]]}]({rest[0]}.svg)")
            else:
                header, rows = rest
                lines = [header, ["---"] * len(header), *rows]
                parts.append("\n".join("| " + " | ".join(line) + " |"
                                       for line in lines))
        return "\n\n".join(parts) + "\n"

    def html(self, folder):
        body = "\n".join(_html_block(folder, *block) for block in self.blocks)
        return ("<!DOCTYPE html>\n<html lang=\"en\"><head>"
                "<meta charset=\"utf-8\">"
                "<meta name=\"viewport\" content=\"width=device-width\">"
                f"<title>What ternary buys</title>\n<style>{_CSS}</style>"
                f"</head><body>\n{body}\n</body></html>\n")


_CSS = """
body { max-width: 62em; margin: 2em auto; padding: 0 1em;
       font: 16px/1.5 sans-serif; color: #222; }
table { border-collapse: collapse; margin: 1em 0; font-size: 14px; }
td, th { border-bottom: 1px solid #ccc; padding: .25em .7em; text-align: right; }
td:first-child, th:first-child { text-align: left; }
svg { width: 100%; height: auto; }
"""


def _html_block(folder, kind, *rest):
    if kind == "heading":
        return f"<h{rest[0]}>{html.escape(rest[1])}</h{rest[0]}>"
    if kind == "text":
        return f"<p>{html.escape(rest[0])}</p>"
    if kind == "plot":
        return f"<figure>{_inlined(folder, rest[0])}</figure>"
    header, rows = rest
    cells = [f"<tr>{''.join(f'<th>{html.escape(c)}</th>' for c in header)}</tr>"]
    cells += [f"<tr>{''.join(f'<td>{html.escape(c)}</td>' for c in row)}</tr>"
              for row in rows]
    return "<table>" + "\n".join(cells) + "</table>"


def _inlined(folder, name):
    with open(os.path.join(folder, name + ".svg"), encoding="utf-8") as file:
        text = file.read()
    # Without the XML declaration; ids of several plots must not meet.
    text = text[text.index("<svg"):]
    for mark in ('id="', 'href="#', "href='#", "id='", "url(#"):
        text = text.replace(mark, mark + name + "-")
    return text


def _times(ratio):
    return f"{ratio:.2f}"


def _number(value):
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _machine(page, described):
    caches = ", ".join(described["caches"]) or "unknown"
    page.table(["machine", ""], [
        ["processor", described["cpu"] +
         (" (a virtual machine)" if described["virtual"] else "")],
        ["cores", str(described["cores"])],
        ["caches of a core", caches],
        ["memory", f"{described['memory_bytes'] / GB:.1f} GB"],
        ["system", described["system"]],
        ["program", "; ".join(described["tern"][:4])]])


def _speeds(page, records):
    """How the ratios were made, and what of the pairs was not used."""
    every = figures.all_pairs(records)
    steady = sum(pair.steady for pair in every)
    low, high = figures.bandwidth(records)
    cut = pairs.border(every)
    text = (f"{len(every)} pairs of samples, one of ternary and one of FP16 "
            "after it; memory was read before, between and after the two, at "
            f"{low:.0f} to {high:.0f} GB/s. Where those readings differed by "
            f"more than {pairs.STEADY - 1:.0%} the pair was taken again: "
            f"{figures.repeated_rounds(records)} times; "
            f"{len(every) - steady} pairs differed still when the tries were "
            "used up, and are left out. No other pair is. ")
    if cut is None:
        page.text(text + "Memory had one speed all the time.")
        return
    page.text(text + f"Memory had two speeds, below and above {cut:.0f} GB/s: "
              "where the cores of a virtual machine lie changes, and with it "
              "whether they share a path to memory. FP16, which reads eight "
              "times the bytes, gains more from the faster one. So there are "
              "two ratios, each beside its speed and the number of its pairs; "
              f"the plots show those at {pairs.usual_speed(every):.0f} GB/s, "
              "of which there are more.")


def _least(size, figure):
    return _times(figure.least) if size.f16.computed else ""


def _sizes(page, records, sizes, drawn):
    page.heading(2, "Speed")
    lengths = " or ".join(map(str, figures.prompts(records)))
    page.text("Shapes of the models with random weights. Prefill is of a "
              f"prompt of {lengths} tokens, decode begins with an empty "
              "context. Ternary and f16 take "
              "their samples in turn, in one process, on "
              "the same threads. Embedding and head are f16 on both "
              "sides. Figures are medians, ratios medians of those of "
              "pairs, so they are not quite the quotients of the "
              "figures beside them. The paper's figures: arXiv 2402.17764, "
              "table 1 and figure 2, on GPUs; that of 13B is quoted from "
              "memory.")
    page.text("Sizes with * do not fit here as f16, or take too long: their "
              "FP16 side is computed and not measured as a whole. One layer of "
              "the shape in f16, larger than the caches, takes its sample "
              "right after ternary's; its time, times the number of layers, "
              "and that of reading the head at the read bandwidth are FP16's. "
              "At the least: the ratio if FP16 read all its bytes at the read "
              "bandwidth, which no kernel quite reaches.")
    _speeds(page, records)
    if "speedup" in drawn:
        page.plot("speedup")
    page.table(
        ["size", "shape", "memory, GB/s", "pairs", "decode b1.58", "FP16",
         "ratio", "at the least", "paper's (GPU)"],
        [[s.label, s.shape, f"{f.speed:.0f}", str(f.pairs), _number(f.ternary),
          _number(f.f16), _times(f.ratio), _least(s, f),
          _times(figures.PAPER_SPEED[s.shape])
          if s.shape in figures.PAPER_SPEED else "-"]
         for s in sizes for f in s.decode])
    page.table(
        ["size", "shape", "memory, GB/s", "pairs", "prefill b1.58", "FP16",
         "ratio"],
        [[s.label, s.shape, f"{f.speed:.0f}", str(f.pairs), _number(f.ternary),
          _number(f.f16), _times(f.ratio)] for s in sizes for f in s.prefill])
    page.text("Decode and prefill in tokens/s.")


def _memory(page, sizes, drawn):
    page.heading(2, "Memory")
    page.text("GB of 10^9 bytes. Layers: norms and linear layers. The cache is "
              f"that of {figures.CONTEXT} positions in f16, scratch a "
              "session's working memory; peak is the resident set while the "
              "measurements above ran, with the contexts named there. "
              "Cache and scratch are the same on both sides, so that the "
              "ratio falls as the context grows: with the cache shown it is "
              "that of the last column but one. The paper's figures are of "
              "GPUs, with whatever their runtime keeps beside the weights.")
    if "memory" in drawn:
        page.plot("memory")
    rows = []
    for s in sizes:
        for name, side in (("b1.58", s.ternary), ("FP16", s.f16)):
            rows.append([
                s.label, name, f"{side.layers_bytes / GB:.3f}",
                f"{(side.weights_bytes - side.layers_bytes) / GB:.3f}",
                f"{side.cache_bytes / GB:.3f}",
                f"{side.scratch_bytes / GB:.3f}",
                f"{side.peak_bytes / GB:.2f}" if side.peak_bytes
                else "computed",
                _times(s.weights_ratio) if name == "b1.58" else "",
                _times(s.peak_ratio) if name == "b1.58" and s.peak_ratio
                else "",
                _times(s.context_ratio) if name == "b1.58" else "",
                _times(figures.PAPER_MEMORY[s.shape])
                if name == "b1.58" and s.shape in figures.PAPER_MEMORY
                else ""])
    page.table(["size", "format", "layers", "embedding, head", "cache",
                "scratch", "peak", "weights: times smaller",
                "peak: times smaller", f"with {figures.CONTEXT} positions: "
                "times smaller", "paper's"], rows)


def _roofline(page, records, drawn):
    rates = figures.ceilings(records)
    low, high = figures.bandwidth(records)
    page.heading(2, "What bounds it")
    page.text("A point right of the corner is bound by arithmetic, left of it "
              "by memory. Decode reads every weight once a token, at 4 "
              "weights a byte or at half a weight a byte; prefill reads it "
              "once for up to 256 tokens.")
    if "roofline" in drawn:
        page.plot("roofline")
    names = {"MatVec 1": "ternary, one token", "MatMul 256":
             "ternary, 256 tokens", "MultiplyAdd 256":
             "yardstick (2-bit codes, multiply-add), 256 tokens",
             "MultiplyAdd 1": "yardstick, one token",
             "f16": "FP16, 256 tokens", "OpenBLAS f32":
             "OpenBLAS sgemm of the same size"}
    page.table(["kernels alone, 2 threads at the most", "GMAC/s, the best"],
               [[text, f"{rates[key]:.0f}"] for key, text in names.items()
                if key in rates] +
               [[f"times the yardstick, {tokens} "
                 f"token{'s' if tokens > 1 else ''}, one thread (median of "
                 "processes)",
                 _times(ratio)] for tokens, ratio in
                figures.yardstick_ratios(records).items()] +
               [["memory, GB/s: slowest and fastest pair",
                 f"{low:.1f} to {high:.1f}"]])


def _curves(page, records, drawn):
    model = figures.LABELS[plan.MODEL]
    page.heading(2, "Threads, context, first token")
    rows = figures.threads(records)
    if rows:
        page.text(f"The shape of BitNet b1.58 {model}; the head is stored as "
                  "f16. Points of one curve are runs that followed each other, "
                  "and between two of them the machine's memory may have "
                  "become faster or slower.")
        if "threads" in drawn:
            page.plot("threads")
        page.table(["threads", "decode, tokens/s", "prefill, tokens/s"],
                   [[str(n), _number(d), _number(p)] for n, d, p in rows])
    for kv in ("f16", "q8"):
        rows = figures.contexts(records, kv)
        if kv == "f16" and rows and "context" in drawn:
            page.plot("context")
        if rows:
            page.table([f"tokens in a {kv} cache", "decode, tokens/s",
                        "memory, GB/s"],
                       [[str(n), _number(speed), f"{memory:.0f}"]
                        for n, speed, memory in rows])
    rows = figures.heads(records)
    if rows:
        page.table(["form of the head", "decode, tokens/s", "memory, GB/s",
                    "MB a token"],
                   [[head, _number(speed), f"{memory:.0f}", f"{size / 1e6:.0f}"]
                    for head, speed, memory, size in rows])
    rows = figures.first_token(records)
    if rows:
        page.text("Time to the first token, 1.3B: from the prompt to the "
                  "logits after it, of a model that is loaded. Pairs as "
                  "above.")
        if "first-token" in drawn:
            page.plot("first-token")
        page.table(["tokens of the prompt", "memory, GB/s", "pairs",
                    "ternary, s", "FP16, s", "ratio"],
                   [[str(tokens), f"{f.speed:.0f}", str(f.pairs),
                     f"{tokens / f.ternary:.3f}", f"{tokens / f.f16:.3f}",
                     _times(f.ratio)]
                    for tokens, found in rows for f in found])


def _energy(page, records):
    page.heading(2, "Energy")
    measured = {form: figures.joules(records, form)
                for form in ("ternary", "f16")}
    if all(measured.values()):
        page.text("Measured by RAPL counters, 700M, decoding: "
                  f"{measured['ternary']:.3f} J a token, FP16 "
                  f"{measured['f16']:.3f}.")
    else:
        page.text("Not measured: this machine shows no energy counters. What "
                  "follows is a model.")
    kernels = figures.kernel_counts(records)
    if not kernels:
        return
    page.text("A model, not a measurement: operations that the kernels ran, "
              "counted a step at a time, times the b1.58 paper's picojoules an "
              "operation at 7 nm (8-bit addition 0.007, 32-bit 0.03, FP16 "
              "addition 0.16 and multiplication 0.34, FP32 0.38 and 1.31, of "
              "which 0.03, 0.16 and 0.34 are quoted from memory; 16-bit addition taken as 0.014, a byte of a table "
              "look-up as an 8-bit addition, which the table lacks). Moving "
              "data, which costs more than arithmetic, is not in it.")
    rows = []
    for kernel in kernels:
        c = kernel["per_weight"]
        pj = energy.picojoules(c)
        rows.append([
            kernel["name"],
            " / ".join(f"{c['add_lanes'][size]:.3f}" for size in "124"),
            f"{c['shuffled_bytes']:.3f}", f"{c['loaded_bytes']:.2f}",
            f"{c['integer_multiply_lanes'] + c['float_multiply_lanes']:.0f}",
            f"{c['float_add_lanes']:.2f}", f"{pj['arithmetic']:.4f}",
            f"{pj['with_look_ups']:.4f}"])
    page.table(["kernel, a weight and token", "additions of 8 / 16 / 32 bits",
                "bytes looked up", "bytes loaded", "multiplications",
                "float additions", "pJ", "pJ with look-ups"], rows)
    _energy_ratios(page, kernels)


def _energy_ratios(page, kernels):
    pj = {k["name"]: energy.picojoules(k["per_weight"])["with_look_ups"]
          for k in kernels}
    fp16 = energy.PJ_FP16["add"] + energy.PJ_FP16["mul"]
    rows = []
    for ours, theirs in (("ternary, one token", "f16, one token"),
                         ("ternary, a tile of tokens", "f16, 32 tokens")):
        if ours in pj and theirs in pj:
            rows.append([ours, f"{fp16 / pj[ours]:.1f}",
                         f"{pj[theirs] / pj[ours]:.1f}"])
    page.table(["arithmetic, times less", "than an FP16 multiply and add",
                "than our FP16 kernel (FP32 sums)"], rows)
    page.text(f"The paper's {energy.paper_ratio():.1f} is one FP16 "
              "multiplication and addition over one 8-bit addition.")


def make(described, records, drawn, quick):
    page = Page()
    page.heading(1, "What ternary buys: tern on this machine")
    if quick:
        page.text("A quick run: few and short samples. Only `make report` in "
                  "full is worth quoting.")
    _machine(page, described)
    sizes = figures.sizes(records)
    if sizes:
        _sizes(page, records, sizes, drawn)
        _memory(page, sizes, drawn)
    _roofline(page, records, drawn)
    _curves(page, records, drawn)
    _energy(page, records)
    failed = figures.failures(records)
    if failed:
        page.heading(2, "What could not be measured here")
        page.table(["measurement", "why"], [list(row) for row in failed])
    page.heading(2, "How")
    page.text("Written by papers/report/report.py (make report); data/ holds "
              "what each program said, one file a measurement, with its "
              "arguments. cli/README.md says how tern bench measures.")
    return page


def write(folder, described, records, drawn, quick):
    page = make(described, records, drawn, quick)
    for name, text in (("report.md", page.markdown()),
                       ("report.html", page.html(folder))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
