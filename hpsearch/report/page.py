"""Holds the page of the HTML report: its style and its Jinja template, which is rendered with escaping on."""
# ruff: noqa: E501  # HTML breaks where the browser would not see it

STYLE = """
:root{--ink:#1d2433;--soft:#667085;--line:#e4e7ec;--back:#fff;--blue:#2563eb;--green:#15803d;--amber:#b45309;--red:#b91c1c}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9f0;--soft:#98a2b3;--line:#2b3345;--back:#10141f;--blue:#7aa2ff;--green:#4ade80;--amber:#fbbf24;--red:#f87171}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.1rem 4rem;max-width:60rem;background:var(--back);color:var(--ink);
 font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:1.9rem;margin:0 0 .2rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:2.4rem 0 .6rem}
p{margin:.4rem 0}.soft{color:var(--soft)}.figures{display:flex;flex-wrap:wrap;gap:.8rem;margin:1.4rem 0}
.figure{flex:1 1 9rem;border:1px solid var(--line);border-radius:.6rem;padding:.7rem .9rem}
.figure b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums}.figure span{color:var(--soft);font-size:.85rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.32rem .6rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;white-space:nowrap}td.n,th.n{text-align:right;white-space:nowrap}
td.words{overflow-wrap:anywhere;min-width:12rem}
tr.best td{background:color-mix(in srgb,var(--blue) 9%,transparent);font-weight:600}
.completed{color:var(--green)}.pruned{color:var(--amber)}.failed{color:var(--red)}
svg{width:100%;height:auto;display:block}svg text{fill:var(--ink)}svg text[fill]{fill:#fff}svg .tick{fill:var(--soft);font-size:12px}
.grid{stroke:var(--line)}polyline{fill:none;stroke:var(--soft);stroke-width:1.3;opacity:.45}
polyline.pruned{stroke:var(--amber)}polyline.failed{stroke:var(--red)}polyline.best{stroke:var(--blue);stroke-width:3;opacity:1}
.cell{fill:var(--blue)}.frame{fill:none;stroke:var(--line)}.matrix{max-width:46rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;font-size:.88rem;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
@media (max-width:34rem){dl{grid-template-columns:1fr}dt{margin-top:.4rem}body{padding-top:1.2rem}}
@media print{:root{--ink:#000;--soft:#555;--line:#ccc;--back:#fff;--blue:#1d4ed8}body{max-width:none;font-size:10.5pt;padding:0}
 h2{break-after:avoid}tr,svg,.figure{break-inside:avoid}.wide{overflow:visible}}
"""

TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';style-src 'unsafe-inline'">
<title>{{ facts.name }} · hpsearch</title><style>{{ style }}</style></head><body>
<header><h1>{{ facts.name }}</h1><p class="soft">{{ facts.objective }}</p></header>
<main>
<div class="figures">{% for value, what in figures %}<div class="figure"><b>{{ value }}</b><span>{{ what }}</span></div>{% endfor %}</div>
{% for line in summary %}<p>{{ line }}</p>{% endfor %}
{% if facts.best %}<h2>{{ "The winner" if facts.verdict else "The best so far" }}: trial {{ facts.best.number }}</h2>
<dl>{% for name, value in best_values %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>{% endif %}
{% if finalists %}<h2>Finals</h2><p class="soft">Each finalist was trained again on fresh seeds. The validation scores chose the winner;
the test split was opened once, after the choice.</p><div class="wide"><table>
<tr><th class="n">trial</th><th class="n">validation, mean</th><th>seed by seed</th><th>test accuracy, seed by seed</th></tr>
{% for one in finalists %}<tr{% if one.won %} class="best"{% endif %}><td class="n">{{ one.trial }}</td><td class="n">{{ one.mean }}</td>
<td>{{ one.scores }}</td><td>{{ one.tests }}</td></tr>{% endfor %}</table></div>{% endif %}
<h2>Trials</h2><div class="wide"><table><tr><th class="n">trial</th><th>status</th><th class="n">{{ metric }}</th><th class="n">best epoch</th>
<th class="n">time</th><th>values</th></tr>
{% for trial in trials %}<tr{% if trial.best %} class="best"{% endif %}><td class="n">{{ trial.number }}</td>
<td class="{{ trial.status }}">{{ trial.status }}</td><td class="n">{{ trial.score }}</td><td class="n">{{ trial.epoch }}</td>
<td class="n">{{ trial.time }}</td><td class="words">{{ trial.said }}{% if trial.why %}<br><span class="soft">{{ trial.why }}</span>{% endif %}</td></tr>
{% endfor %}</table></div>
{% for name, drawing in curves %}<h2>{{ name }}, epoch by epoch</h2>{{ drawing }}{% endfor %}
{% if classes %}<h2>On the test split, class by class</h2><div class="wide"><table><tr><th>class</th><th class="n">precision</th>
<th class="n">recall</th><th class="n">F1</th><th class="n">rows</th></tr>
{% for row in classes %}<tr><td>{{ row[0] }}</td>{% for cell in row[1:] %}<td class="n">{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table></div>
<h2>Confusion matrix</h2><p class="soft">True classes in rows, predicted ones in columns; the darker, the larger the share of the row.</p>
<div class="wide">{{ matrix }}</div>
{% if pairs %}<p>Most often confused: {% for class, read, count in pairs %}{{ class }} read as {{ read }} ({{ count }}){{ ", " if not loop.last }}{% endfor %}.</p>{% endif %}{% endif %}
<h2>Where it comes from</h2><dl>{% for name, value in provenance %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
</main></body></html>
"""
