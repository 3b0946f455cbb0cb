#ifndef XKDE_STAGES_REPORT_PAGE_PAGE_SCRIPT_H_
#define XKDE_STAGES_REPORT_PAGE_PAGE_SCRIPT_H_

#include <string_view>

namespace xkde::report {

/// Of the head: nothing may be loaded or sent from the page.
inline constexpr std::string_view kPagePolicy =
    R"(<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
)";

/// The script of pages with tables and charts. Below each figure it puts a button that saves it as
/// an SVG file with the styles that it has, below each table one each that copies it as Markdown
/// and as LaTeX (booktabs), in the form of xkde_results; where nothing may be copied, a file is
/// saved. A page whose body has data-live, the milliseconds of its writing, reads itself again
/// while it is looked at, the older it is the less often, and keeps what is unfolded. Without it
/// all else is as before.
inline constexpr std::string_view kPageScript = R"js('use strict';
(() => {
const make = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const fileName = text => text.replace(/[^\p{L}\p{N}]+/gu, '_').replace(/^_+|_+$/g, '').slice(0, 60) || 'report';
const save = (name, type, text) => {
  const link = make('a', {href: URL.createObjectURL(new Blob([text], {type})), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

const kept = ['fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-dasharray', 'opacity', 'font-family', 'font-size',
  'font-weight', 'text-anchor'];
const svgText = svg => {
  const copy = svg.cloneNode(true), from = svg.querySelectorAll('*'), to = copy.querySelectorAll('*');
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    to[i].setAttribute('style', kept.map(name => `${name}:${style.getPropertyValue(name)}`).join(';'));
  });
  const [, , width, height] = svg.getAttribute('viewBox').split(' ');
  const ground = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  for (const [name, value] of [['width', width], ['height', height], ['fill', getComputedStyle(svg).backgroundColor]])
    ground.setAttribute(name, value);
  copy.prepend(ground);
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', width);
  copy.setAttribute('height', height);
  return new XMLSerializer().serializeToString(copy);
};

const textOf = cell => {
  const copy = cell.cloneNode(true);
  for (const line of copy.querySelectorAll('br')) line.replaceWith(' ');
  return copy.textContent.replace(/\s+/g, ' ').trim();
};
const gridOf = table => ({
  caption: table.caption ? textOf(table.caption) : '',
  rows: [...table.rows].map(row => [...row.cells].map(cell => ({text: textOf(cell), bold: cell.classList.contains('best')}))),
  left: [...table.rows[0].cells].map((cell, i) => cell.classList.contains('l') || i === 0),
});
const markdown = table => {
  const {caption, rows, left} = gridOf(table);
  const plain = text => text.replace(/([\\`*_|<>\[\]])/g, '\\$1');
  const line = cells => `| ${cells.join(' | ')} |`;
  const shown = row => line(row.map(cell => cell.bold ? `**${plain(cell.text)}**` : plain(cell.text)));
  const marks = line(left.map(is => is ? ':---' : '---:'));
  return [plain(caption), [shown(rows[0]), marks, ...rows.slice(1).map(shown)].join('\n')].filter(Boolean).join('\n\n') + '\n';
};
const special = {'\\': '\\textbackslash{}', '~': '\\textasciitilde{}', '^': '\\textasciicircum{}', '<': '\\textless{}',
  '>': '\\textgreater{}', '|': '\\textbar{}', '→': '$\\rightarrow$', '±': '$\\pm$', '−': '$-$', '–': '--', '…': '\\dots{}',
  '≠': '$\\neq$', '↓': '$\\downarrow$'};
for (const mark of '&%$#_{}') special[mark] = '\\' + mark;
const latex = table => {
  const {caption, rows, left} = gridOf(table);
  const plain = text => [...text].map(mark => special[mark] ?? mark).join('');
  const shown = row => row.map(cell => cell.bold ? `\\textbf{${plain(cell.text)}}` : plain(cell.text)).join(' & ') + ' \\\\';
  const columns = left.map(is => is ? 'l' : 'r').join('');
  return ['\\begin{table}', '\\centering', ...(caption ? [`\\caption{${plain(caption)}}`] : []),
    `\\begin{tabular}{${columns}}`, '\\toprule', shown(rows[0]), '\\midrule', ...rows.slice(1).map(shown), '\\bottomrule',
    '\\end{tabular}', '\\end{table}'].join('\n') + '\n';
};

const copied = async (button, name, type, text) => {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'copied';
  } catch {
    save(name, type, text);
    button.textContent = 'saved';
  }
  setTimeout(() => { button.textContent = label; }, 1500);
};
for (const figure of document.querySelectorAll('figure')) {
  const svg = figure.querySelector('svg');
  if (!svg) continue;
  const name = fileName(svg.getAttribute('aria-label')) + '.svg';
  const button = make('button', {type: 'button', textContent: 'SVG', title: 'save this figure',
    onclick: () => save(name, 'image/svg+xml', svgText(svg))});
  figure.append(make('div', {className: 'tools'}, button));
}
for (const table of document.querySelectorAll('table')) {
  const name = fileName(table.caption ? textOf(table.caption) : 'table');
  const tool = (textContent, end, type, write) => {
    const button = make('button', {type: 'button', textContent, title: `copy this table as ${textContent}`});
    button.onclick = () => copied(button, name + end, type, write(table));
    return button;
  };
  (table.closest('.scroll') ?? table).after(make('div', {className: 'tools'},
    tool('Markdown', '.md', 'text/markdown', markdown), tool('LaTeX', '.tex', 'application/x-tex', latex)));
}
window.report = {svgText, markdown, latex};

const written = Number(document.body.dataset.live);
if (!written) return;
const folds = () => [...document.querySelectorAll('details')];
try {
  const open = JSON.parse(sessionStorage.getItem(location.pathname) ?? '[]');
  folds().forEach((fold, i) => { fold.open = fold.open || open.includes(i); });
} catch { /* a page from the disk may have no storage */ }
const age = () => Math.max(0, (Date.now() - written) / 1000);
const note = document.getElementById('live'), opened = Date.now(), wait = Math.max(10, age() / 10);
const tick = () => {
  const seconds = Math.round(age());
  note.textContent = seconds < 120 ? `${seconds} s old` : `${Math.round(seconds / 60)} min old`;
  if (document.visibilityState !== 'visible' || Date.now() - opened < wait * 1000) return;
  try {
    sessionStorage.setItem(location.pathname, JSON.stringify(folds().flatMap((fold, i) => fold.open ? [i] : [])));
  } catch { /* what was unfolded is folded again */ }
  location.reload();
};
tick();
setInterval(tick, 1000);
})();
)js";

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_PAGE_PAGE_SCRIPT_H_
