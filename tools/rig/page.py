"""A report: one HTML file that needs nothing else, readable on a small screen.

    page = Page("Migration of debian", "alpha to beta, 29 November 2026")
    page.verdict(True, "moved; no connection was lost")
    page.section("Rounds")
    page.text("...")
    page.table(["round", "pages"], [[0, 32768], [1, 120]])
    page.picture(chart.svg(), "caption")
    page.save(Path("report.html"))

Text is escaped; pictures are put in as they are.
"""
