# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's page for people: text that is the same for every stack. Its script asks for
``/status.json`` and ``/series.json`` and puts everything in as text, never as markup.

Only Python reaches the host as the keeper's code (keeper_code.py), so the page is Python, too.
"""

from __future__ import annotations

from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_page_charts import CHARTS
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_page_script import MAIN

STYLE = """
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif;
--page:light-dark(#f6f7f9,#101419);--card:light-dark(#fff,#191f27);
--ink:light-dark(#1b222c,#e8ecf1);--soft:light-dark(#56606d,#a6b0bd);
--line:light-dark(#dde2e8,#2c3540);--good:light-dark(#176d2c,#6fcf86);
--fair:light-dark(#8a5300,#f0b352);--bad:light-dark(#b3261e,#ff8a80);
--c0:light-dark(#0b63c5,#6cb2ff);--c1:light-dark(#b04c00,#f5a45a);
--c2:light-dark(#157347,#5fd39a);--c3:light-dark(#7b3fe4,#c3a0ff);
--c4:light-dark(#b0266b,#ff8fc0);--c5:light-dark(#00717f,#4fd0e0);
--c6:light-dark(#735a00,#e0c050);--c7:light-dark(#56606d,#aab4c0)}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font-variant-numeric:tabular-nums}
header,main{max-width:84rem;margin:0 auto;padding:1rem 1.25rem}
header{padding-top:1.5rem;padding-bottom:0}
main{padding-bottom:3rem}
h1,h2,h3,p,dl,dd,ol,ul,figure{margin:0;padding:0}
ol,ul{list-style:none}
h1{font-size:1.6rem;line-height:1.2;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:1.75rem 0 .6rem}
.top{display:flex;flex-wrap:wrap;gap:.4rem .8rem;align-items:center}
#text{margin-top:.35rem;overflow-wrap:anywhere}
#facts{display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;color:var(--soft);margin-top:.2rem}
.badge{display:inline-block;padding:.05rem .6rem;border-radius:1rem;border:1px solid currentColor;
font-weight:600;font-size:.85rem;white-space:nowrap}
.good{color:var(--good)}.fair{color:var(--fair)}.bad{color:var(--bad)}.soft{color:var(--soft)}
#trouble{margin-top:1rem;padding:.6rem .9rem;border:1px solid var(--bad);border-radius:.5rem;
color:var(--bad)}
[hidden]{display:none!important}
.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem}
.figures div{padding:.65rem .9rem}
.figures dt{color:var(--soft);font-size:.85rem}
.figures dd{font-size:1.45rem;line-height:1.25;font-weight:600}
.figures small{display:block;font-size:.8rem;font-weight:400;color:var(--soft);min-height:1.2em}
#legend{display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;margin-bottom:.6rem;color:var(--soft)}
.swatch{display:inline-block;width:.75rem;height:.75rem;border-radius:.2rem;margin-right:.4rem;
background:var(--k,var(--soft))}
.mark{display:inline-block;height:.85rem;margin:0 .55rem 0 .3rem;vertical-align:-.1rem;
border-left:2px dashed var(--ink)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:.75rem}
figure{padding:.7rem .9rem .55rem;min-width:0}
figcaption{display:flex;justify-content:space-between;gap:.8rem;align-items:baseline}
figcaption h3{font-size:.9rem;font-weight:600;min-width:0;overflow:hidden;
text-overflow:ellipsis;white-space:nowrap}
.value{font-weight:600;white-space:nowrap}
.plot{position:relative;height:9rem;margin-top:.35rem;border-bottom:1px solid var(--line);
touch-action:pan-y}
.plot::before{content:"";position:absolute;inset:0 0 50%;border:solid var(--line);
border-width:1px 0}
.plot svg{position:absolute;inset:0;width:100%;height:100%;display:block}
.top-of,.middle-of{position:absolute;left:0;right:0;font-size:.75rem;line-height:1rem;
color:var(--soft);pointer-events:none;
text-shadow:0 0 2px var(--card),0 0 2px var(--card),0 0 2px var(--card)}
.top-of{top:0}.middle-of{top:50%}
.axis{display:flex;justify-content:space-between;font-size:.75rem;color:var(--soft);margin-top:.1rem}
.details{font-size:.8rem;color:var(--soft);min-height:1.4em;overflow:hidden;text-overflow:ellipsis;
white-space:nowrap}
path,line{vector-effect:non-scaling-stroke}
.line{fill:none;stroke:var(--k,var(--c0));stroke-width:1.75;stroke-linejoin:round}
.whole{fill:none;stroke:var(--ink);stroke-width:1.75;stroke-linejoin:round}
.area{fill:var(--k,var(--c0));fill-opacity:.55;stroke:var(--k,var(--c0));stroke-width:.75}
.many .area{stroke:none}.many .line{stroke-width:1;opacity:.6}
.errors{fill:var(--bad);fill-opacity:.3;stroke:var(--bad);stroke-width:1.75}
.deploy{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:4 3}
.deploy.bad{stroke:var(--bad)}
.cursor{stroke:var(--soft);stroke-width:1}
.k0{--k:var(--c0)}.k1{--k:var(--c1)}.k2{--k:var(--c2)}.k3{--k:var(--c3)}
.k4{--k:var(--c4)}.k5{--k:var(--c5)}.k6{--k:var(--c6)}.k7{--k:var(--c7)}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.5rem .8rem;border-bottom:1px solid var(--line)}
tbody tr:last-child td,tbody tr:last-child th{border-bottom:0}
thead th{color:var(--soft);font-size:.8rem;font-weight:600}
tbody th{font-weight:600;overflow-wrap:anywhere}
td small,th small{display:block;color:var(--soft);font-weight:400;overflow-wrap:anywhere}
.meter{height:.4rem;min-width:4.5rem;border-radius:.2rem;background:var(--line);overflow:hidden;
margin-top:.3rem}
.fill{height:100%;width:calc(var(--w,0)*1%);background:var(--k,var(--c0));transition:width .6s}
.fill.fair{background:var(--fair)}.fill.bad{background:var(--bad)}
.lists{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:0 .75rem}
.lists>section{min-width:0}
.log{max-height:24rem;overflow-y:auto}
.log li{padding:.4rem .9rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
.log li:last-child{border-bottom:0}
.log time{color:var(--soft);margin-right:.6rem;white-space:nowrap}
.log .badge{margin-right:.6rem;font-size:.75rem}
@media (max-width:60rem){
header,main{padding-left:.9rem;padding-right:.9rem}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody{display:block}
tbody tr{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.5rem .9rem;
padding:.8rem .9rem;border-bottom:1px solid var(--line)}
tbody tr:last-child{border-bottom:0}
th,td{display:block;padding:0;border:0;min-width:0}
tbody th{grid-column:1/-1}
td::before{content:attr(data-label);display:block;color:var(--soft);font-size:.75rem}
}
@media (max-width:30rem){.figures{grid-template-columns:1fr 1fr}.figures dd{font-size:1.25rem}}
@media (prefers-reduced-motion:reduce){.fill{transition:none}}
"""

SCRIPT = CHARTS + MAIN

HEADS = (
    *("Replica", "State", "Gets traffic", "Share of requests", "Errors", "Response p95"),
    *("Processor", "Memory", "Connections", "Restarts"),
)
"""Of the table of replicas, in the order in which the script fills its cells."""

_HEAD_CELLS = "".join(f'<th role="columnheader" scope="col">{one}</th>' for one in HEADS)

PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Keeper</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<header>
<div class="top"><h1 id="stack">Keeper</h1><p id="state" class="badge" role="status"></p></div>
<p id="text"></p>
<ul id="facts"></ul>
</header>
<main>
<noscript>
<p>This page needs JavaScript. The same as data: /status.json, /series.json.</p>
</noscript>
<p id="trouble" role="alert" hidden></p>
<section aria-labelledby="now-title">
<h2 id="now-title">Last five minutes</h2>
<dl id="figures" class="figures"></dl>
</section>
<section aria-labelledby="charts-title">
<h2 id="charts-title">Last ten minutes</h2>
<ul id="legend" aria-label="Colours"></ul>
<div id="charts" class="charts"></div>
</section>
<section aria-labelledby="replicas-title">
<h2 id="replicas-title">Replicas</h2>
<table class="card" role="table" aria-labelledby="replicas-title">
<thead role="rowgroup"><tr role="row">{_HEAD_CELLS}</tr></thead>
<tbody id="replicas" role="rowgroup"></tbody>
</table>
</section>
<div class="lists">
<section aria-labelledby="deploys-title">
<h2 id="deploys-title">Deploys</h2>
<ol id="deploys" class="card log" tabindex="0" aria-labelledby="deploys-title"></ol>
</section>
<section aria-labelledby="changes-title">
<h2 id="changes-title">What changed</h2>
<ol id="changes" class="card log" tabindex="0" aria-labelledby="changes-title"></ol>
</section>
</div>
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""
