"""Draws the plots with gnuplot: each as SVG and as PNG."""
import os
import shutil
import subprocess

import figures
import pairs
import plan

GB = 1e9
_TERNARY, _F16, _PAPER = "#1b6ca8", "#c44e2d", "#444444"
_TERMINALS = {
    "svg": 'svg size {w},{h} font "DejaVu Sans,13" background "white" '
           'name "{name}"',
    "png": 'pngcairo size {w2},{h2} font "DejaVu Sans,13" fontscale 1.3 '
           'linewidth 1.5 background "white"',
}
_STYLE = f"""
set encoding utf8
set border 3 lc rgb '#666666'
set tics nomirror out
set grid ytics lc rgb '#dddddd' lt 1
set key top left reverse Left samplen 2 spacing 1.1
set style line 1 lc rgb '{_TERNARY}' lw 2 pt 7 ps 1
set style line 2 lc rgb '{_F16}' lw 2 pt 5 ps 1
set style line 3 lc rgb '{_PAPER}' lw 2 pt 9 ps 1.4
set style line 4 lc rgb '#6aa84f' lw 2 pt 13 ps 1.3
"""


def available():
    return shutil.which("gnuplot") is not None


def data_block(name, rows):
    """Inline data; None is a gap."""
    def cell(value):
        if value is None:
            return "NaN"
        return f'"{value}"' if isinstance(value, str) else f"{value:.6g}"
    lines = [" ".join(cell(value) for value in row) for row in rows]
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def draw(folder, name, script, size=(860, 480)):
    """Writes NAME.svg and NAME.png; returns NAME."""
    width, height = size
    for form, terminal in _TERMINALS.items():
        place = os.path.join(folder, f"{name}.{form}")
        words = terminal.format(w=width, h=height, w2=width * 3 // 2,
                                h2=height * 3 // 2, name=name.replace("-", "_"))
        text = (f"set terminal {words}\nset output '{place}'\n" + _STYLE +
                script)
        subprocess.run(["gnuplot"], input=text, text=True, check=True)
    return name


def _ratio(found, speed):
    figure = pairs.at(found, speed)
    return figure.ratio if figure else None


def _speedup(sizes, speed):
    rows = [(s.label, _ratio(s.decode, speed), _ratio(s.prefill, speed),
             figures.PAPER_SPEED.get(s.shape)) for s in sizes]
    return data_block("data", rows) + f"""
set ylabel 'ternary over FP16, times as fast (memory at {speed:.0f} GB/s)'
""" + """
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set xlabel 'parameters of the model (*: FP16 computed, not measured)'
set yrange [0:*]
set offsets 0, 0, graph 0.25, 0
plot $data using 2:xtic(1) ls 1 title 'decode', \
     '' using 3 ls 4 title 'prefill', \
     '' using 0:4 with points ls 3 title \
     'decode in the paper (GPU, arXiv 2402.17764)'
"""


def _memory_panel(name, rows, title, origin, width):
    return data_block(name, rows) + f"""
set size {width},1
set origin {origin},0
set title '{title}'
plot ${name} using 2:xtic(1) lc rgb '#1b6ca8' title 'layers', \
     '' using 3 lc rgb '#e8a33d' title 'embedding and head', \
     '' using 4 lc rgb '#6aa84f' title 'cache, {figures.CONTEXT} positions', \
     '' using 5 lc rgb '#999999' title 'scratch'
"""


def _memory(sizes):
    def bars(chosen):
        # One label for the pair, under its first bar, and a gap behind it.
        out = []
        for size in chosen:
            for mark, side in (("b1.58", size.ternary), ("FP16", size.f16)):
                out.append((f"{size.label} {mark}", side.layers_bytes / GB,
                            (side.weights_bytes - side.layers_bytes) / GB,
                            side.cache_bytes / GB, side.scratch_bytes / GB))
        return out
    small = [s for s in sizes if not s.f16.computed]
    large = [s for s in sizes if s.f16.computed]
    script = """
set style data histograms
set style histogram rowstacked
set style fill solid 0.9 noborder
set boxwidth 0.7
set ylabel 'memory, GB (10^9 bytes)'
set xtics rotate by -45 font ',11'
set bmargin 6
set yrange [0:*]
set multiplot
"""
    if not large:
        return script + _memory_panel("small", bars(small), "measured", 0, 1)
    return (script + _memory_panel("small", bars(small), "measured", 0, 0.5) +
            "set key off\n" + _memory_panel(
                "large", bars(large), "larger: FP16 computed (*)", 0.5, 0.5) +
            "unset multiplot\n")


def _roofline(records):
    points = figures.roofline(records)
    rates = figures.ceilings(records)
    low, high = figures.bandwidth(records)
    script = "".join(
        data_block(f"{form}_{test}", [(p[3], p[4]) for p in points
                                 if p[1:3] == (form, test)] or [(None, None)])
        for form in ("ternary", "f16") for test in ("tg", "pp"))
    lines = [f"{low} * x with lines lc rgb '#aaaaaa' lw 2 dt 2 title "
             f"'memory at {low:.0f} GB/s, the slowest pair'",
             f"{high} * x with lines lc rgb '#888888' lw 2 title "
             f"'memory at {high:.0f} GB/s, the fastest pair'"]
    for key, colour, dash, text in (
            ("MatMul 256", _TERNARY, 1, "table kernel alone, 256 tokens"),
            ("MultiplyAdd 256", "#6aa84f", 3, "multiply-add yardstick"),
            ("f16", _F16, 4, "FP16 kernel alone, 256 tokens")):
        if key in rates:
            lines.append(f"{rates[key]} with lines lc rgb '{colour}' lw 2 "
                         f"dt {dash} title '{text}, {rates[key]:.0f} GMAC/s'")
    for form, style in (("ternary", 1), ("f16", 2)):
        for test, point in (("tg", 6), ("pp", 7)):
            what = "decode" if test == "tg" else "prefill"
            lines.append(f"${form}_{test} using 1:2 with points ls {style} "
                         f"pt {point} ps 1.3 title '{what}, {form}'")
    return script + """
set logscale xy
set xrange [0.3:3000]
set yrange [5:3000]
set grid xtics ytics lc rgb '#dddddd' lt 1
set xlabel 'MAC (a weight meets an activation) for each byte read from memory'
set ylabel '10^9 MAC a second'
set key outside right top
plot """ + ", \\\n     ".join(lines) + "\n"


def _threads(rows):
    last = rows[-1][0] + 0.3
    return data_block("data", rows) + f"""
set xlabel 'threads'
set ylabel 'decode, tokens/s' tc rgb '#1b6ca8'
set y2label 'prefill, tokens/s' tc rgb '#c44e2d'
set ytics nomirror
set y2tics nomirror
set border 11 lc rgb '#666666'
set yrange [0:*]
set y2range [0:*]
set xtics 1
set xrange [0.7:{last}]
set offsets 0, 0, graph 0.2, 0
plot $data using 1:2 with linespoints ls 1 title 'decode (left)', \
     '' using 1:3 axes x1y2 with linespoints ls 2 title 'prefill (right)'
"""


def _contexts(records):
    f16, q8 = (figures.contexts(records, kv) for kv in ("f16", "q8"))
    gap = [(None, None, None)]
    return data_block("f16", f16 or gap) + data_block("q8", q8 or gap) + """
set xlabel 'tokens in the context'
set ylabel 'decode, tokens/s'
set yrange [0:*]
set xrange [0:*]
set offsets 0, graph 0.05, graph 0.15, 0
set key bottom left
plot $f16 using 1:2 with linespoints ls 1 title 'cache of f16', \
     $q8 using 1:2 with linespoints ls 4 title 'cache of int8'
"""


def _first_token(records):
    speed = pairs.usual_speed(figures.all_pairs(records, plan.FIRST_TOKEN))
    found = {tokens: pairs.at(by_speed, speed)
             for tokens, by_speed in figures.first_token(records)}
    return "".join(
        data_block(form, [(tokens, tokens / getattr(figure, form))
                          for tokens, figure in found.items() if figure])
        for form in ("ternary", "f16")) + f"""
set ylabel 'seconds to the first token (memory at {speed:.0f} GB/s)'
""" + """
set logscale xy
set grid xtics ytics lc rgb '#dddddd' lt 1
set xlabel 'tokens of the prompt'
set xtics (16, 32, 64, 128, 256, 512)
set xrange [12:700]
plot $ternary using 1:2 with linespoints ls 1 title 'ternary', \
     $f16 using 1:2 with linespoints ls 2 title 'FP16'
"""


def draw_all(folder, records, tell):
    """Names of the plots for which there are figures and that gnuplot drew."""
    sizes = figures.sizes(records)
    scripts = []
    if sizes:
        speed = pairs.usual_speed(figures.all_pairs(records))
        scripts += [("speedup", _speedup(sizes, speed), (860, 460)),
                    ("memory", _memory(sizes), (1000, 520))]
    if figures.roofline(records):
        scripts.append(("roofline", _roofline(records), (1100, 520)))
    if len(figures.threads(records)) > 1:
        scripts.append(("threads", _threads(figures.threads(records)),
                        (860, 420)))
    if figures.contexts(records, "f16"):
        scripts.append(("context", _contexts(records), (860, 420)))
    if figures.first_token(records):
        scripts.append(("first-token", _first_token(records), (860, 420)))
    drawn = []
    for script in scripts:
        try:
            drawn.append(draw(folder, *script))
        except subprocess.CalledProcessError:
            tell(f"gnuplot does not draw {script[0]}: the pages lack it")
    return drawn
