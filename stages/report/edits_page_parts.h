#ifndef XKDE_STAGES_REPORT_EDITS_PAGE_PARTS_H_
#define XKDE_STAGES_REPORT_EDITS_PAGE_PARTS_H_

#include <string_view>

namespace xkde::report {

/// Markup of the head: nothing may be loaded or sent from the page, and its own styles.
inline constexpr std::string_view kEditsPageHead =
    R"(<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<style>
body{max-width:1360px;margin:1rem auto 3rem}h1{overflow-wrap:anywhere}
form,.chips{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center}
input,button,summary{font:inherit;color:var(--fg);background:var(--card);border:1px solid var(--soft);border-radius:6px;padding:.35rem .7rem;max-width:100%;box-sizing:border-box}
label{display:flex;gap:.5rem;align-items:center;flex:1 1 14rem;max-width:30rem}input{flex:1;min-width:0}
button,summary{cursor:pointer;overflow-wrap:anywhere}button[aria-pressed=true]{background:var(--fg);color:var(--bg)}
details[open]{flex-basis:100%}.chips{padding:.5rem 0}
:focus-visible{outline:3px solid var(--c0);outline-offset:2px}[hidden]{display:none!important}
.card{background:var(--card);border-radius:6px;padding:.7rem .9rem;margin:.9rem 0}
.card h2{font-size:.95rem;margin:0 0 .5rem;border:0;font-weight:600}.card h3{margin:0 0 .3rem;font-size:.95rem}
.card dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15rem .8rem;margin:0 0 .6rem}
.card dt,.card small,.who{color:var(--soft)}.card dd{margin:0}
dd,.said{white-space:pre-wrap;overflow-wrap:anywhere;text-align:start}
.told{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr));gap:.7rem}
.told section{border-top:3px solid var(--rule);padding-top:.4rem;min-width:0}.told .own{border-color:var(--c0)}
.told p{margin:.15rem 0}.said{font-size:1.05em}.told small{overflow-wrap:anywhere}
.good,.bad{font-weight:600;color:var(--c2)}.bad{color:var(--c1)}
@media print{form{display:none}.card{break-inside:avoid}}
</style>
)";

/// What the script fills.
inline constexpr std::string_view kEditsPageBody = R"(<noscript><p>This page needs its script.
<code>xkde_dist show</code> prints the same.</p></noscript>
<form id="filters" role="search"><label>Search <input type="search" id="words" autocomplete="off"></label>
<button type="button" id="wrong" aria-pressed="false">wrong only</button></form>
<p id="count" role="status"></p>
<main id="list"></main>
<p><button type="button" id="more" hidden></button></p>
)";

/// The script. It puts text into the page as text alone, never as markup.
inline constexpr std::string_view kEditsPageScript = R"js('use strict';
(() => {
const {evaluations, own, texts, questions} = JSON.parse(document.getElementById('data').textContent);
const step = 50;  // cards a time
const byId = id => document.getElementById(id);
const make = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const words = byId('words'), wrong = byId('wrong'), list = byId('list'), more = byId('more');

const ownOf = question => question.told.find(told => told.by === own && !told.at_once);
const kinds = metric => [...new Set([metric.split('.')[0], metric])];
const filters = [
  {name: 'edit language', of: question => [texts[question.from]]},
  {name: 'test language', of: question => [texts[question.to]]},
  {name: 'question', of: question => kinds(texts[question.metric])},
  {name: 'mode', of: question => [texts[question.mode]]},
  {name: 'context', of: question => (ownOf(question).free || []).map(one => texts[one[0]])}];
const context = filters[4];

const isRight = question => {
  const told = ownOf(question);
  if (!context.chosen) return told.right;
  return told.free.find(one => texts[one[0]] === context.chosen)[3];
};
const plain = text => text.normalize('NFKC').toLowerCase();
const haystack = question => question.plain ??= plain([
  question.record, ...[question.fact, question.question, question.prompt, question.target,
    ...question.told.flatMap(told => [told.answer, ...(told.free || []).map(one => one[1])])]
    .filter(place => place !== undefined).map(place => texts[place])].join('\n'));

const said = (place, language, name = 'said') => texts[place] === ''
  ? make('p', {className: 'said who'}, '(nothing)')
  : make('p', {className: name, dir: 'auto', lang: language}, texts[place]);
const mark = right => make('span', {className: right ? 'good' : 'bad'}, right ? '✓ right' : '✗ wrong');

function answers(told, question) {
  const [stage, label] = evaluations[told.by];
  const language = texts[question.to];
  const part = make('section', {className: told.by === own && !told.at_once ? 'own' : ''},
    make('h3', {}, label + (told.at_once ? ', right after the edit' : ''), ' ', make('small', {}, stage)));
  for (const [name, answer, scores, right] of told.free || []) {
    if (context.chosen && texts[name] !== context.chosen) continue;
    part.append(make('p', {className: 'who'}, texts[name] + ' ', mark(right)), said(answer, language),
      make('p', {}, make('small', {}, texts[scores])));
  }
  if (told.answer !== undefined) part.append(make('p', {className: 'who'}, 'answer'), said(told.answer, language));
  part.append(make('p', {}, make('small', {}, 'token accuracy ' + texts[told.tokens])));
  return part;
}

function card(question) {
  const from = texts[question.from], to = texts[question.to];
  const head = ['record ' + question.record, from + ' → ' + to,
    texts[question.metric] + (question.probe > 0 ? ' ' + (question.probe + 1) : ''), texts[question.mode]];
  if (question.age !== undefined) head.push(question.age + ' edits ago');
  const facts = make('dl', {});
  for (const [name, place, language] of [['fact', question.fact, from], ['question', question.question, to],
    ['prompt', question.prompt, to], [question.negated ? 'wrong' : 'right', question.target, to]])
    if (place !== undefined) facts.append(make('dt', {}, name), make('dd', {dir: 'auto', lang: language}, texts[place]));
  return make('article', {className: 'card', tabIndex: -1},
    make('h2', {}, head.join(' · ') + ' · ', mark(isRight(question))), facts,
    make('div', {className: 'told'}, ...question.told.map(told => answers(told, question))));
}

let shown = [], count = 0;
function grow() {
  const part = shown.slice(count, count + step).map(card);
  list.append(...part);
  count += part.length;
  more.hidden = count >= shown.length;
  more.textContent = 'show ' + Math.min(step, shown.length - count) + ' more';
  return part[0];
}
function update() {
  const asked = plain(words.value).split(/\s+/).filter(Boolean);
  const isWrongOnly = wrong.getAttribute('aria-pressed') === 'true';
  shown = questions.filter(question =>
    filters.every(filter => !filter.chosen || filter.of(question).includes(filter.chosen)) &&
    !(isWrongOnly && isRight(question)) && asked.every(word => haystack(question).includes(word)));
  byId('count').textContent = shown.length + ' of ' + questions.length + ' questions';
  list.replaceChildren();
  count = 0;
  grow();
}

for (const filter of filters) {
  const options = [...new Set(questions.flatMap(filter.of))];
  if (options.length < 2) continue;
  const title = make('summary', {});
  const chips = make('div', {className: 'chips', role: 'group', ariaLabel: filter.name});
  const box = make('details', {}, title, chips);
  const choose = option => {
    filter.chosen = option;
    title.textContent = filter.name + ': ' + (option ?? 'all');
    for (const chip of chips.children) chip.setAttribute('aria-pressed', chip.option === option);
  };
  for (const option of [undefined, ...options]) {
    const chip = make('button', {type: 'button', option}, option ?? 'all');
    chip.addEventListener('click', () => {
      choose(option);
      box.open = false;
      title.focus();
      update();
    });
    chips.append(chip);
  }
  box.addEventListener('keydown', event => {
    if (event.key !== 'Escape') return;
    box.open = false;
    title.focus();
  });
  choose(undefined);
  byId('filters').append(box);
}
byId('filters').addEventListener('submit', event => event.preventDefault());
words.addEventListener('input', update);
wrong.addEventListener('click', () => {
  wrong.setAttribute('aria-pressed', wrong.getAttribute('aria-pressed') !== 'true');
  update();
});
more.addEventListener('click', () => grow().focus());
update();
})();
)js";

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_EDITS_PAGE_PARTS_H_
