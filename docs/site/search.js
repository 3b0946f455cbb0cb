// Search without a server: `entries` stands before this text (hook.py). A section is found that has all words, in
// any case and within words, so that Chinese, which has no blanks, is found too. One with a word in its title comes first.
(function () {
  const input = document.getElementById("mkdocs-search-query");
  const results = document.getElementById("mkdocs-search-results");
  if (!input || !results) return;
  const most = 40;

  function found(words) {
    const hits = [];
    for (const entry of entries) {
      const title = entry.title.toLowerCase();
      const text = entry.text.toLowerCase();
      if (!words.every((word) => title.includes(word) || text.includes(word))) continue;
      hits.push({entry, rank: words.filter((word) => title.includes(word)).length});
    }
    hits.sort((a, b) => b.rank - a.rank);
    return hits.slice(0, most).map((hit) => hit.entry);
  }

  function shown(entry, word) {
    const article = document.createElement("article");
    const link = document.createElement("a");
    link.href = base_url.replace(/\/?$/, "/") + entry.location;
    link.textContent = entry.title;
    const heading = document.createElement("h3");
    heading.append(link);
    const place = Math.max(0, entry.text.toLowerCase().indexOf(word) - 60);
    const part = document.createElement("p");
    part.textContent = entry.text.slice(place, place + 200);
    article.append(heading, part);
    return article;
  }

  function search() {
    const words = input.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    const hits = words.length === 0 ? [] : found(words);
    results.replaceChildren(...hits.map((entry) => shown(entry, words[0])));
    if (words.length > 0 && hits.length === 0) results.textContent = "No results found";
  }

  input.addEventListener("input", search);
  const asked = new URLSearchParams(window.location.search).get("q");
  if (asked) input.value = asked;
  search();
})();
