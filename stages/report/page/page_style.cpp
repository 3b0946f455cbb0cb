#include "stages/report/page/page_style.h"

#include <fmt/format.h>

#include "stages/report/page/line_chart.h"

namespace xkde::report {
namespace {

// Okabe and Ito's colours, which the colour-blind tell apart too, darker for text on white.
constexpr std::string_view kPageHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
:root{--bg:#fff;--fg:#1c1c1e;--soft:#6a6a70;--rule:#d9d9de;--card:#f6f6f8;--heat:0,90,160;
--c0:#0072b2;--c1:#b5521b;--c2:#007a5a;--c3:#a3447b;--c4:#8a6d00;--c5:#2f7fb5;--c6:#444;--c7:#7a3db8}
@media (prefers-color-scheme:dark){:root{--bg:#161618;--fg:#ececf0;--soft:#a2a2aa;--rule:#3a3a40;--card:#202024;--heat:70,160,230;
--c0:#56b4e9;--c1:#f0894a;--c2:#2fc39a;--c3:#dd8cbb;--c4:#e6c34a;--c5:#8fd0f5;--c6:#c8c8cc;--c7:#b892e6}}
body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 .2rem}h2{font-size:1.25rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--rule)}
h3{font-size:1rem;margin:1.4rem 0 .4rem}p.sub,.empty,caption,figcaption{color:var(--soft)}
figure{margin:0;min-width:0}.scroll{overflow-x:auto}h1,h2,h3,summary,p{overflow-wrap:anywhere}
.maps{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,360px),1fr));gap:0 2rem}.maps>*{min-width:0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.4rem 0 1rem}
caption{text-align:left;padding-bottom:.3rem;position:sticky;left:0;max-width:min(100vw - 2rem,66rem)}th,td{padding:.25rem .7rem;border-bottom:1px solid var(--rule);text-align:right;white-space:nowrap}
th{font-weight:600}th[scope=row],th.l,td.l{text-align:left}thead th{border-bottom:2px solid var(--rule)}
th[scope=row],thead th:first-child{position:sticky;left:0;background:var(--bg)}
@media (max-width:600px){th[scope=row],thead th:first-child{white-space:normal;min-width:5rem;max-width:9rem;overflow-wrap:anywhere}th,td{padding:.25rem .45rem}}
.tools{display:flex;flex-wrap:wrap;gap:.4rem;margin:.2rem 0 1rem}.tools button{font:inherit;font-size:12px;color:var(--soft);background:none;border:1px solid var(--rule);border-radius:5px;padding:.1rem .5rem;cursor:pointer}
.warn{border-left:4px solid var(--c1);background:var(--card);padding:.5rem .8rem}td small{color:var(--soft)}
td.best{font-weight:700}table.heat td,table.heat thead th{text-align:center;padding:.25rem .5rem}table.heat td{min-width:2.8rem}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:1rem}
svg{background:var(--card);border-radius:6px;width:100%;height:auto}
svg text{font:11px system-ui,sans-serif;fill:var(--fg)}svg .title{font-weight:600;font-size:12px}svg .tick{fill:var(--soft)}
svg .end{text-anchor:end}svg .mid{text-anchor:middle}svg .grid{stroke:var(--rule);stroke-width:1}
svg .line{fill:none;stroke-width:1.8}svg .d1{stroke-dasharray:7 3}svg .d2{stroke-dasharray:2 2.5}svg .d3{stroke-dasharray:8 3 2 3}svg .d4{stroke-dasharray:12 4}svg .band{opacity:.14}
)";

constexpr std::string_view kPageTail =
    R"(pre{background:var(--card);padding:.8rem;overflow-x:auto;font-size:12px}
@media print{.tools{display:none}body{max-width:none;margin:0}details{display:block}.charts{grid-template-columns:1fr 1fr}h2,h3{break-after:avoid}table,svg{break-inside:avoid}}
</style>
)";

std::string chart_colours() {
  std::string css;
  for (int i = 0; i < 8; ++i) {
    css += fmt::format(
        "svg .line.c{0}{{stroke:var(--c{0})}}svg .band.c{0},svg .dot.c{0},svg .name.c{0}"
        "{{fill:var(--c{0})}}\n",
        i);
  }
  return css;
}

}  // namespace

std::string page_head(const std::string& title, std::string_view more) {
  std::string text(kPageHead);
  text += chart_colours();
  text += kPageTail;
  text += more;
  return text + "<title>" + escaped(title) + "</title></head>";
}

bool has_page_head(std::string_view text) {
  return text.starts_with(kPageHead.substr(0, kPageHead.find('{')));
}

}  // namespace xkde::report
