"""The style sheet and the script of the coverage page. Colours are variables, with a set for light and one for dark."""

from __future__ import annotations

CSS = """
:root{color-scheme:light dark;--bg:#f7f8f8;--card:#fff;--ink:#1b2026;--soft:#616b76;--line:#e1e5e9;--hatch:#e9ecef;--hatch2:#dde2e6;
--VERIFIED:#2a9d8f;--QUIET:#9edad1;--UNVERIFIED:#8fa5dc;--PENDING:#f2c744;--SUSPECT:#d62d42;--RESYNCING:#a06cd5;--STALE:#ee8f3b;
--DEAD:#515a64;--watch:#aab4be;--shade:0 1px 2px #1b202614,0 4px 14px #1b20260f}
@media (prefers-color-scheme:dark){:root{--bg:#111417;--card:#191d21;--ink:#e7eaed;--soft:#98a3ae;--line:#2a3036;--hatch:#20252a;
--hatch2:#2a3036;--VERIFIED:#2fa899;--QUIET:#1d6a61;--UNVERIFIED:#5b76c2;--PENDING:#e3bb3f;--SUSPECT:#f0505f;--RESYNCING:#a97fe0;
--STALE:#e58a3a;--DEAD:#77828d;--watch:#4d5762;--shade:0 0 0 1px #2a3036}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1500px;margin:0 auto;padding:28px 28px 60px}
h1{font-size:22px;font-weight:650;margin:0 0 2px;letter-spacing:-.01em}
h2{font-size:15px;font-weight:650;margin:30px 0 10px}
.sub{color:var(--soft);margin:0;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin:20px 0}
.tile,.card{background:var(--card);border-radius:10px;box-shadow:var(--shade)}
.tile{padding:14px 16px}
.tile b{display:block;font-size:25px;font-weight:650;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:12.5px}
.tile i{font-style:normal;color:var(--soft);font-size:12.5px;display:block}
.card{padding:16px 18px;margin-bottom:14px}
.bar{display:flex;height:14px;border-radius:4px;overflow:hidden;gap:1px;margin-bottom:12px}
.bar i{display:block;min-width:3px}
.key{display:flex;flex-wrap:wrap;gap:6px 22px;margin:0;padding:0;list-style:none;font-size:13px}
.key li{display:flex;align-items:center;gap:7px}
.key em{font-style:normal;color:var(--soft);font-variant-numeric:tabular-nums}
.dot{width:12px;height:12px;border-radius:3px;flex:none}
.hatch,.NOT_OBSERVED.dot,.bar .NOT_OBSERVED,td.map div{
background:repeating-linear-gradient(135deg,var(--hatch) 0 4px,var(--hatch2) 4px 8px)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th{font-weight:550;color:var(--soft);text-align:left;font-size:12.5px;white-space:nowrap}
td,th{padding:3px 10px 3px 0}
td:last-child,th:last-child{padding-right:0}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.heat{min-width:1100px;table-layout:fixed}
.heat td{height:28px}
.heat tbody tr:hover td{background:color-mix(in srgb,var(--line) 45%,transparent)}
.heat .name{width:260px}.heat .name div{display:flex;gap:8px;white-space:nowrap}
.heat .name span{overflow:hidden;text-overflow:ellipsis}.heat .name b{font-weight:400;color:var(--soft);flex:none}
.heat tr.first td{padding-top:9px}
.heat .share{width:74px}.heat .gaps{width:54px}.heat .checks{width:150px}
td.map div{height:22px;border-radius:3px;overflow:hidden}
td.map.src div{background:none}
tr.source td{color:var(--soft);font-size:12.5px}
svg{display:block;width:100%;height:100%;shape-rendering:crispEdges}
.axis{position:relative;height:20px;font-size:11.5px;color:var(--soft);font-weight:400}
.axis span{position:absolute;top:0;padding-left:4px;border-left:1px solid var(--line);line-height:20px}
rect.w{fill:var(--watch)}rect.mark0{fill:var(--soft)}rect.mark1{fill:var(--ink)}rect.mark2{fill:var(--STALE)}rect.mark3{fill:var(--SUSPECT)}
rect.b{fill:var(--card)}rect.NOT_OBSERVED{fill:transparent}
.list td{border-top:1px solid var(--line);padding-top:6px;padding-bottom:6px;vertical-align:top}
.list td{overflow-wrap:anywhere}.list td:last-child{min-width:230px}
.list td.who{max-width:280px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.list th{padding-bottom:6px}.list td.t{overflow-wrap:normal;white-space:nowrap;font-variant-numeric:tabular-nums}
.open{color:var(--SUSPECT)}
.tag{font-size:11.5px;padding:1px 7px;border-radius:9px;border:1px solid var(--line);color:var(--soft);white-space:nowrap}
#tip{position:fixed;z-index:9;pointer-events:none;white-space:pre-line;max-width:420px;padding:8px 11px;border-radius:7px;
background:var(--ink);color:var(--bg);font-size:12.5px;line-height:1.45;box-shadow:0 4px 18px #0004;display:none;overflow-wrap:anywhere}
footer{color:var(--soft);font-size:12.5px;margin-top:24px}
"""

STATE_CSS = "rect.{0}{{fill:var(--{0})}}.dot.{0},.bar .{0}{{background:var(--{0})}}"

SCRIPT = """
for(const t of document.querySelectorAll('svg title')){const h=t.parentNode,r=h.closest('tr');
h.dataset.t=(r&&r.dataset.n?r.dataset.n+'\\n':'')+t.textContent;h.setAttribute('aria-label',t.textContent);t.remove()}
const tip=document.getElementById('tip');
addEventListener('pointermove',e=>{const h=e.target.closest&&e.target.closest('[data-t]');
if(!h){tip.style.display='none';return}
tip.textContent=h.dataset.t;tip.style.display='block';
const b=tip.getBoundingClientRect(),x=e.clientX+14,y=e.clientY+16;
tip.style.left=(x+b.width>innerWidth-8?Math.max(8,e.clientX-b.width-10):x)+'px';
tip.style.top=(y+b.height>innerHeight-8?e.clientY-b.height-12:y)+'px'});
addEventListener('scroll',()=>tip.style.display='none',true);
"""
