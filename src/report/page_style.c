// SPDX-License-Identifier: Apache-2.0
// Style and script of the report: system letters, aligned figures, light and dark, phone and paper.
// Series colours are from M. Okabe and K. Ito, "Color Universal Design" (2008), which all common
// forms of colour blindness tell apart; lines differ in their dashes too.
#include "report/page_style.h"

// in pieces, since a string literal must not be longer than 4095 bytes
static const char *const style[] = {
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1a1f24;--soft:#59636e;--rule:#d5dbe1;"
    "--panel:#f5f7f9;--track:#e9edf1;--s0:#0072b2;--s1:#d98200;"
    "--s2:#009e73;--s3:#cc79a7;--warn:#8a4b00;--warnbg:#fff4e0;}\n"
    "@media (prefers-color-scheme:dark){:root{--bg:#13171b;--fg:#e3e8ed;--soft:#9aa6b2;"
    "--rule:#333b44;--panel:#1b2026;--track:#262d35;--s0:#56b4e9;--s1:#e69f00;--warn:#ffc46b;"
    "--warnbg:#33260e;}}\n",
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%}\n"
    "body{margin:0;background:var(--bg);color:var(--fg);font:14px/1.45 system-ui,-apple-system,"
    "'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-variant-numeric:tabular-nums}\n"
    "main,header,footer{max-width:1160px;margin:0 auto;padding:0 20px}\n"
    "header{padding-top:26px}\n"
    "h1{font-size:24px;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}\n"
    "h2{font-size:16px;margin:34px 0 2px;padding-top:10px;border-top:1px solid var(--rule)}\n"
    "h3{font-size:13px;margin:0 0 2px;font-weight:600;overflow-wrap:anywhere}\n"
    "p{margin:2px 0 10px;max-width:80ch}\n"
    ".sub,.note,caption,.legend,footer{color:var(--soft)}\n"
    ".sub{overflow-wrap:anywhere}\n"
    ".note{font-size:13px}\n"
    "code,pre{font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',"
    "monospace}\n"
    ".warn{background:var(--warnbg);color:var(--warn);border-left:3px solid currentColor;"
    "padding:8px 12px;margin:14px 0;border-radius:2px}\n"
    ".warn ul{margin:2px 0;padding-left:18px}.warn p{margin:0}\n",
    // key figures
    ".key{display:grid;grid-template-columns:repeat(auto-fit,minmax(142px,1fr));gap:1px;"
    "margin:18px 1px 0}\n"
    ".key div{box-shadow:0 0 0 1px var(--rule);padding:10px 12px}\n"
    ".key dt{color:var(--soft);font-size:12px}\n"
    ".key dd{margin:0;font-size:21px;font-weight:600;line-height:1.25;white-space:nowrap}\n"
    ".key .words{font-size:16px;line-height:26px}\n"
    ".key dd small{font-size:13px;font-weight:400;color:var(--soft)}\n"
    ".key .more{font-size:12px;font-weight:400;color:var(--soft);white-space:normal}\n"
    // tables
    ".scroll{overflow-x:auto;max-width:100%;margin:6px 0}\n"
    "table{border-collapse:collapse;font-size:13px}\n"
    "caption{text-align:left;font-size:12.5px;padding:0 0 4px}\n"
    "th{font-weight:500;text-align:left}\n"
    "thead th{color:var(--soft);font-size:12px;vertical-align:bottom;white-space:nowrap}\n"
    "table.list td,table.list th{padding:3px 10px 3px 0;border-bottom:1px solid var(--rule)}\n"
    "table.list td.n,table.list th.n{text-align:right;white-space:nowrap}\n"
    "table.list tfoot td,table.list tfoot th{font-weight:600;border-bottom:0}\n"
    "table.list tbody th{max-width:22em;overflow-wrap:break-word}\n"
    "table.bars{width:100%}\n"
    "table.bars td.bar{width:50%;min-width:110px;padding-right:14px}\n",
    ".track{position:relative;background:linear-gradient(90deg,var(--rule) 1px,transparent 1px) "
    "0 0/25% 100%,var(--track);border-right:1px solid var(--rule)}\n"
    ".track b{display:block;height:8px;background:var(--s0)}\n"
    ".track b+b{height:5px;background:var(--s1)}\n"
    ".track.plain{background:none;border:0}\n"
    ".stack{display:flex;height:16px;background:var(--track)}\n"
    ".stack i{display:block;height:100%;border-right:1px solid var(--bg)}\n"
    // heat maps
    "table.heat{border-spacing:1px;border-collapse:separate}\n"
    "table.heat td{min-width:3.15em;height:23px;padding:0 4px;text-align:right;font-size:12px}\n"
    "table.heat thead th{text-align:right;padding:0 4px}\n"
    "table.heat thead tr:first-child th{text-align:left;padding:0}\n"
    "table.heat thead tr:first-child th+th{padding-left:6px}\n"
    "table.heat tbody th{padding-right:10px;white-space:nowrap;font-size:12.5px;"
    "max-width:19em;overflow:hidden;text-overflow:ellipsis;position:sticky;left:0;"
    "background:var(--bg)}\n"
    "td.w{color:#fff}td.b{color:#000}\n"
    ".maps{display:flex;flex-wrap:wrap;gap:0 44px}.map{min-width:0;max-width:100%;margin-top:8px}\n"
    ".map h3{color:var(--soft);font-weight:400}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:6px 8px;align-items:center;font-size:12px;"
    "margin:2px 0 14px}\n"
    ".ramp{display:flex;width:180px;height:9px}.ramp i{flex:1}\n"
    ".sw{display:inline-block;width:11px;height:11px;margin-right:5px;vertical-align:-1px}\n"
    ".sw.s0{background:var(--s0)}.sw.s1{background:var(--s1)}"
    ".sw.s2{background:var(--s2)}.sw.s3{background:var(--s3)}.sw.free{background:var(--track)}\n",
    // line charts, small multiples
    ".panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(205px,1fr));gap:14px 16px;"
    "margin:8px 0}\n"
    ".panel{break-inside:avoid;min-width:0}\n"
    ".panel h3{color:var(--soft);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}\n"
    "svg.plot{display:block;width:100%;height:auto;max-width:270px;touch-action:pan-y}\n"
    "svg.wide{max-width:370px}\n"
    "svg text{font-size:10px;fill:var(--soft)}svg .ty{text-anchor:end}svg .tx{text-anchor:middle}\n"
    "svg path{fill:none}\n"
    "svg .grid{stroke:var(--rule);stroke-width:.7}svg .axis{stroke:var(--soft);stroke-width:.8}\n"
    "svg .line{stroke-width:1.4;stroke-linejoin:round}\n"
    "svg .line.s0{stroke:var(--s0)}svg .line.s1{stroke:var(--s1);stroke-dasharray:4 2}\n"
    "svg .line.s2{stroke:var(--s2);stroke-dasharray:7 2}"
    "svg .line.s3{stroke:var(--s3);stroke-dasharray:1.5 1.5}\n"
    "svg .dot.s0{fill:var(--s0)}svg .dot.s1{fill:var(--s1)}"
    "svg .dot.s2{fill:var(--s2)}svg .dot.s3{fill:var(--s3)}\n"
    "svg .cursor{stroke:var(--soft);stroke-width:.7}\n"
    // folded parts
    "details{border-bottom:1px solid var(--rule);padding:5px 0}\n"
    "summary{cursor:pointer;color:var(--soft)}\n"
    "section>details{border:0}\n"
    "pre{overflow-x:auto;background:var(--panel);padding:10px 12px;margin:6px 0;max-height:60vh}\n"
    "footer{padding-top:26px;padding-bottom:30px;font-size:12px}\n"
    "#tip{position:fixed;z-index:9;pointer-events:none;background:var(--fg);color:var(--bg);"
    "font-size:12px;padding:3px 7px;border-radius:3px;max-width:280px;white-space:pre-line}\n",
    "@media (max-width:560px){.stack "
    "i{border:0}main,header,footer{padding-left:13px;padding-right:13px}"
    ".panels{grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:12px 10px}"
    ".opt{display:none}.key{grid-template-columns:1fr 1fr}.key dd{font-size:18px}"
    "table.heat tbody th{max-width:8.5em}table.bars td.bar{width:40%;min-width:70px}"
    "table.list td,table.list th{padding-right:7px}}\n"
    "@media print{:root{color-scheme:light;--bg:#fff;--fg:#000;--soft:#444;--rule:#c8ced4;"
    "--panel:#f5f7f9;--track:#e9edf1;--s0:#0072b2;--s1:#d98200}"
    "*{-webkit-print-color-adjust:exact;print-color-adjust:exact}"
    "body{font-size:10pt}section,.panel,tr{break-inside:avoid}h2{break-after:avoid}"
    "#tip{display:none}.scroll{overflow:visible}pre{max-height:none;white-space:pre-wrap}}\n",
    0,
};

static const char *const script[] = {
    "(function(){'use strict';\n"
    "var tip=document.createElement('div');tip.id='tip';tip.hidden=true;"
    "document.body.appendChild(tip);\n"
    // a title becomes our own tooltip, which comes at once
    "document.querySelectorAll('main td[title],main th[title],main i[title],main b[title]')"
    ".forEach(function(e){e.dataset.t=e.title;e.setAttribute('aria-label',e.title);"
    "e.removeAttribute('title');});\n"
    "function show(text,event){tip.textContent=text;tip.hidden=false;"
    "var w=tip.offsetWidth,h=tip.offsetHeight,x=event.clientX+12,y=event.clientY+14;"
    "if(x+w>innerWidth-4){x=Math.max(4,event.clientX-w-10);}"
    "if(y+h>innerHeight-4){y=event.clientY-h-10;}"
    "tip.style.left=x+'px';tip.style.top=y+'px';}\n",
    // the value under the pointer is read back from the points of the lines
    "function lines(svg,event){var m=svg.dataset.map.split(' ').map(Number),"
    "box=svg.getBoundingClientRect(),px=(event.clientX-box.left)*svg.viewBox.baseVal.width/"
    "box.width,text=[],at=null;\n"
    "svg.querySelectorAll('.line').forEach(function(line){var best=null;"
    "line.getAttribute('d').split(/[ML]/).forEach(function(p){if(!p){return;}"
    "var q=p.split(' ').map(Number);if(!best||Math.abs(q[0]-px)<Math.abs(best[0]-px)){best=q;}});\n"
    "if(best){at=best[0];var v=m[6]+(best[1]-m[4])/(m[5]-m[4])*(m[7]-m[6]);"
    "text.push(line.dataset.name+' '+v.toPrecision(3));}});\n"
    "if(at!==null){var e=Math.round(m[2]+(at-m[0])/(m[1]-m[0])*(m[3]-m[2]));"
    "text.unshift((svg.dataset.x||'after epoch')+' "
    "'+e);svg.querySelector('.cursor').setAttribute('d','M'+at+' "
    "'+m[4]+'V'+"
    "m[5]);show(text.join('\\n'),event);}}\n"
    "document.addEventListener('pointermove',function(event){"
    "var cell=event.target.closest('[data-t]'),svg=event.target.closest('svg.plot');"
    "document.querySelectorAll('.cursor').forEach(function(c){c.setAttribute('d','');});\n"
    "if(cell){show(cell.dataset.t,event);}else "
    "if(svg){lines(svg,event);}else{tip.hidden=true;}});\n"
    "document.addEventListener('scroll',function(){tip.hidden=true;},true);\n"
    // what is folded must be on paper too
    "addEventListener('beforeprint',function(){document.querySelectorAll('details[data-print]')"
    ".forEach(function(d){d.open=true;});});\n"
    "})();\n",
    0,
};

void ohmi_page_begin(ohmi_text *out, const char *title) {
    ohmi_text_add(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                       "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                       "<meta name=\"color-scheme\" content=\"light dark\">"
                       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"
                       "style-src 'unsafe-inline';script-src 'unsafe-inline'\"><title>");
    ohmi_text_html(out, title);
    ohmi_text_add(out, " · Ohmwise</title><style>\n");
    for (int i = 0; style[i] != 0; ++i) {
        ohmi_text_add(out, style[i]);
    }
    ohmi_text_add(out, "</style></head><body>\n");
}

void ohmi_page_end(ohmi_text *out, const char *footer) {
    ohmi_text_add(out, "</main>\n<footer>Written by Ohmwise " OHM_VERSION " ");
    ohmi_text_add(out, footer);
    ohmi_text_add(out, "</footer>\n<script>\n");
    for (int i = 0; script[i] != 0; ++i) {
        ohmi_text_add(out, script[i]);
    }
    ohmi_text_add(out, "</script></body></html>\n");
}
