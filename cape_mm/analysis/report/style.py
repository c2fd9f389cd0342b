"""Looks of the HTML page: one column, tables that scroll sideways on a phone."""

PAGE_STYLE = """\
:root { color-scheme: light; --ink: #20262d; --muted: #667; --line: #dde1e6;
  --accent: #1f6fb2; --soft: #f5f7f9; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header { padding: 1.5rem 1rem 1rem; background: var(--soft);
  border-bottom: 1px solid var(--line); }
header > div, main { max-width: 62rem; margin: 0 auto; }
main { padding: 1rem; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.2rem; }
.subtitle, figcaption, .note { color: var(--muted); }
.subtitle { margin-top: .25rem; font-size: .9rem; overflow-wrap: anywhere; }
p { max-width: 46rem; margin: .5rem 0; }
.warning { max-width: none; padding: .6rem .9rem; background: #fff4d6;
  border-left: 4px solid #e0a100; overflow-wrap: anywhere; }
.cards { display: grid; gap: .6rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
.card { display: flex; flex-direction: column; padding: .6rem .8rem;
  border: 1px solid var(--line); border-radius: .4rem; }
.card .name { font-size: .85rem; color: var(--muted); }
.card .value { font-size: 1.5rem; font-weight: 600; line-height: 1.3; }
.card .note { font-size: .8rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0;
  list-style: none; }
a { color: var(--accent); }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .28rem .7rem; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: top; }
thead th, thead th.bar { border-bottom: 2px solid var(--line);
  vertical-align: bottom; font-weight: 600; }
thead th.bar { font-weight: 400; color: var(--muted); }
tbody th { font-weight: 400; min-width: 8.5rem; max-width: 20rem;
  overflow-wrap: anywhere; }
td { min-width: 3rem; overflow-wrap: break-word; }
td.number { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
thead th.number { text-align: right; }
tbody tr:hover { background: var(--soft); }
.bar { width: 9rem; min-width: 7rem; vertical-align: middle; }
.track { position: relative; height: .6rem; background: #edf0f3; }
.fill { position: absolute; inset: 0 auto 0 0; background: var(--accent);
  opacity: .75; }
.mark { position: absolute; top: -.2rem; bottom: -.2rem; width: 2px;
  background: #c23b22; }
figure { margin: 1rem 0; }
figure img { display: block; max-width: 100%; height: auto; }
figure.svg { display: inline-block; width: 28.5rem; max-width: 100%;
  margin-right: 1rem; vertical-align: top; }
figure.svg img { width: 100%; }
figcaption { margin-top: .2rem; font-size: .85rem; overflow-wrap: anywhere; }
details { margin: .35rem 0; padding: .1rem .7rem; border: 1px solid var(--line);
  border-radius: .4rem; }
summary { padding: .3rem 0; cursor: pointer; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .7rem; background: var(--soft); font-size: .8rem; }
@media print { nav { display: none; } }
"""
