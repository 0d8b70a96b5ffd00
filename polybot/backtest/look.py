"""How the page of a backtest looks: its colours, its style sheet, and the theme of its charts."""

from __future__ import annotations

INK, SOFT, LINE, CARD, GROUND = "#17202e", "#6b7686", "#e6e9ef", "#ffffff", "#f4f6f9"
BID, ASK, GOOD, BAD, ACCENT = "#2563eb", "#db2777", "#0f9d76", "#dc2626", "#4f46e5"
MODEL_COLOURS = {"pessimistic": "#4f46e5", "proportional": "#0891b2", "optimistic": "#f59e0b"}
STATE_COLOURS = {
    "VERIFIED": "#1a9d77",
    "QUIET": "#8fd3be",
    "UNVERIFIED": "#9db4d6",
    "PENDING": "#f3cf63",
    "SUSPECT": "#e0524a",
    "RESYNCING": "#ef9a4d",
    "STALE": "#c98ab8",
    "DEAD": "#5b6472",
    "NOT_OBSERVED": "#e6e9ef",
}
FONT = "Inter, 'Segoe UI', system-ui, -apple-system, 'Helvetica Neue', Arial, sans-serif"

CSS = f"""
*{{box-sizing:border-box}}
body{{margin:0;background:{GROUND};color:{INK};font:15px/1.5 {FONT};-webkit-font-smoothing:antialiased}}
main{{max-width:1320px;margin:0 auto;padding:34px 26px 60px}}
header{{display:flex;flex-wrap:wrap;gap:8px 28px;align-items:end;justify-content:space-between;margin-bottom:22px}}
h1{{font-size:26px;font-weight:650;letter-spacing:-.02em;margin:0}}
h1 small{{font-weight:400;color:{SOFT};font-size:17px;letter-spacing:0}}
.sub{{color:{SOFT};margin:2px 0 0;font-size:14px;overflow-wrap:anywhere}}
.tag{{display:inline-block;padding:2px 10px;border-radius:99px;background:#e8eafd;color:{ACCENT};font-size:12.5px;font-weight:550}}
.tiles{{display:grid;grid-template-columns:repeat(auto-fit,minmax(158px,1fr));gap:14px;margin-bottom:16px}}
.tile,.card{{background:{CARD};border:1px solid {LINE};border-radius:14px;box-shadow:0 1px 2px #1018280a,0 4px 14px #1018280a}}
.tile{{padding:14px 18px}}
.tile span{{color:{SOFT};font-size:13px;display:block}}
.tile b{{font-size:25px;font-weight:640;letter-spacing:-.02em;font-variant-numeric:tabular-nums;display:block;margin:1px 0}}
.tile i{{color:{SOFT};font-style:normal;font-size:12.5px}}
.up{{color:{GOOD}}}.down{{color:{BAD}}}
.card{{padding:18px 20px 12px;margin-bottom:16px;min-width:0}}
.card h2{{font-size:16px;font-weight:620;margin:0 0 2px;display:flex;gap:12px;align-items:center;flex-wrap:wrap}}
.card p{{color:{SOFT};font-size:13px;margin:0 0 8px;max-width:95ch}}
.two{{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:16px}}
@media(max-width:900px){{.two{{grid-template-columns:minmax(0,1fr)}}}}
select{{font:inherit;font-size:13.5px;color:{INK};padding:4px 10px;border:1px solid {LINE};border-radius:8px;
background:{CARD};max-width:min(760px,100%)}}
.key{{display:inline-flex;gap:6px;align-items:center;font-size:12.5px;color:{SOFT};font-weight:400}}
.key i{{width:11px;height:11px;border-radius:3px;display:inline-block}}
.scroll{{overflow-x:auto}}.scroll+.scroll{{margin-top:16px}}
table{{border-collapse:collapse;width:100%;font-size:13.5px}}
th{{text-align:left;color:{SOFT};font-weight:500;font-size:12.5px;padding:6px 10px;border-bottom:1px solid {LINE};white-space:nowrap}}
td{{padding:6px 10px;border-bottom:1px solid #f0f2f6;vertical-align:top}}
tr:last-child td{{border-bottom:0}}
td.n,th.n{{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}}
tr.shown td{{background:#f3f4ff}}
code,.mono{{font-family:ui-monospace,'Cascadia Mono',Menlo,Consolas,monospace;font-size:12.5px;overflow-wrap:anywhere}}
details{{margin-top:6px}}summary{{cursor:pointer;color:{SOFT};font-size:13px}}
.plain td:first-child{{color:{SOFT};white-space:nowrap;width:1%}}
footer{{color:{SOFT};font-size:12.5px;margin-top:20px}}
"""

THEME = {
    "attrs": {
        "Plot": {
            "background_fill_color": None,
            "border_fill_color": None,
            "outline_line_color": None,
            "min_border_left": 78,
            "min_border_right": 14,
            "min_border_top": 6,
        },
        "Axis": {
            "axis_line_color": None,
            "major_tick_line_color": None,
            "minor_tick_line_color": None,
            "major_label_text_color": SOFT,
            "major_label_text_font": FONT,
            "major_label_text_font_size": "12px",
            "axis_label_text_color": SOFT,
            "axis_label_text_font": FONT,
            "axis_label_text_font_style": "normal",
            "axis_label_text_font_size": "12px",
        },
        "Grid": {"grid_line_color": LINE, "grid_line_alpha": 0.8},
        "Legend": {
            "label_text_font": FONT,
            "label_text_font_size": "12px",
            "label_text_color": SOFT,
            "border_line_color": None,
            "background_fill_alpha": 0.75,
            "padding": 4,
            "label_standoff": 6,
            "spacing": 18,
            "glyph_height": 12,
            "glyph_width": 16,
            "label_height": 14,
        },
        "LabelSet": {"text_font": FONT, "text_color": INK},
    }
}
