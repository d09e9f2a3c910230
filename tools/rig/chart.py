"""Pictures of measurements as SVG, without a library.

    chart = Chart("dirty rate", Axis("pages written", "pages/s"), Axis("total", "s"))
    chart.line("policy classic", [(1000, 0.4), (2000, 0.7)])
    page.picture(chart.svg(), "Total time turns up where ...")     # page.py
    chart.save(Path("total.svg"))                                  # and total.png

What a chart can hold: line (points joined), dots, spread (a point with its least
and greatest), bars (grouped), spans (what lasted from when to when, one row
each), mark (a vertical line with a word), heat (a matrix of shades). Axes choose
their ticks; `log=True` makes one logarithmic. Colours are told apart by the
colour-blind, on a light and on a dark page alike.
"""
