"""How a data card looks: the one style sheet, which the page holds itself."""

CSS = """
:root { --ink: #222; --quiet: #666; --faint: #e4e4e4; --blue: #0072b2; --orange: #d55e00; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 1.5rem; color: var(--ink); background: #fff;
  overflow-wrap: anywhere; font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .3rem; padding-top: .6rem; border-top: 1px solid var(--faint); }
h3 { font-size: .95rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
p { margin: .2rem 0 .7rem; max-width: 50rem; }
.quiet, .ends, figcaption, footer { color: var(--quiet); font-size: .85rem; }
code { font-size: .85em; overflow-wrap: anywhere; }
nav a { margin-right: 1rem; color: var(--blue); }
.tiles { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; padding: 0; }
.tiles li { list-style: none; flex: 1 1 6.6rem; padding: .6rem .7rem; background: #f5f7f9; border-radius: 6px; }
.tiles b { display: block; font-size: 1.2rem; white-space: nowrap; }
.tiles .bad b { color: var(--orange); }
.found { padding-left: 1.2rem; } .found li { margin: .2rem 0; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; font-size: .85rem; color: var(--quiet); }
td, th { padding: .25rem .7rem .25rem 0; border-bottom: 1px solid var(--faint); vertical-align: middle; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.classes { table-layout: fixed; } .classes .name { width: 12rem; overflow-wrap: anywhere; }
.classes .count { width: 18%; } .classes .number { width: 4.6rem; }
.wide { overflow-x: auto; } .wide table { min-width: 560px; }
img { display: block; max-width: 64px; max-height: 64px; border-radius: 3px; background: var(--faint); }
img.tiny { image-rendering: pixelated; width: 48px; height: 48px; object-fit: contain; }
.strip { display: flex; flex-wrap: wrap; gap: 4px; } .small img { max-width: 40px; max-height: 40px; }
.bar { display: block; flex: 1; height: .7rem; background: var(--faint); border-radius: 2px; }
.bar i { display: block; height: 100%; min-width: 1px; background: var(--blue); border-radius: 2px; }
.count .bar { margin-top: .15rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: .8rem; }
.charts { grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 1.4rem; }
figure { margin: 0; display: flex; gap: .6rem; padding: .5rem; border: 1px solid var(--faint); border-radius: 6px; }
figure > img { flex: none; } figcaption { min-width: 0; overflow-wrap: anywhere; line-height: 1.35; }
figcaption b { color: var(--ink); } figcaption .other { color: var(--orange); font-weight: 600; }
.group { display: flex; flex-wrap: wrap; gap: .6rem; margin: .5rem 0; }
.group figure { flex: 0 1 250px; min-width: 0; }
.groups > li { margin-bottom: .9rem; } .groups { padding-left: 1.2rem; }
.ends { display: flex; justify-content: space-between; }
svg { width: 100%; height: auto; border-bottom: 1px solid var(--quiet); display: block; }
rect.train { fill: var(--blue); opacity: .45; }
polyline { fill: none; stroke-width: 1.5; } .test { stroke: var(--orange); } .val { stroke: #009e73; }
.share { display: flex; gap: .5rem; align-items: center; font-size: .85rem; }
.share bdi { width: 7rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.share span:last-child { width: 2.6rem; text-align: right; }
.key { display: inline-block; width: .8rem; height: .8rem; margin: 0 .2rem 0 .8rem; vertical-align: -1px; }
footer { margin-top: 3rem; padding-top: .6rem; border-top: 1px solid var(--faint); }
@media print { body { max-width: none; } figure, tr { break-inside: avoid; } }
"""
