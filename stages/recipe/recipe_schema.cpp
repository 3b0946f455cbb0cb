#include "stages/recipe/recipe_schema.h"

#include <utility>
#include <vector>

#include "core/base/error.h"
#include "stages/recipe/recipe.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kTopLevel = "Top level";

std::string_view without_marks(std::string_view text, std::string_view marks) {
  const size_t begin = text.find_first_not_of(marks);
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(marks) + 1 - begin);
}

/// "[planner](planner.md)" as "planner".
std::string without_links(std::string_view text) {
  std::string plain;
  while (true) {
    const size_t middle = text.find("](");
    const size_t begin = text.substr(0, middle).rfind('[');
    const size_t end = middle == text.npos ? text.npos : text.find(')', middle);
    if (middle == text.npos || begin == text.npos || end == text.npos) return plain.append(text);
    plain.append(text.substr(0, begin)).append(text.substr(begin + 1, middle - begin - 1));
    text.remove_prefix(end + 1);
  }
}

/// The cells of a line of a table, whose bars may be escaped.
std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells(1);
  for (size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '|') {
      cells.back() += line[++i];
    } else if (line[i] == '|') {
      cells.emplace_back();
    } else {
      cells.back() += line[i];
    }
  }
  return cells;
}

/// `X` of "as in `X`"; empty for any other text.
std::string_view referred_section(std::string_view text) {
  constexpr std::string_view kBegin = "as in `";
  if (!text.starts_with(kBegin) || !text.ends_with('`')) return "";
  text = text.substr(kBegin.size(), text.size() - kBegin.size() - 1);
  return text.find('`') == text.npos ? text : "";
}

/// The mapping that a key's values are or that each item of them is; null where there is none.
Json* mapping_of(Json& values) {
  if (values.contains("properties")) return &values;
  if (values.contains("items") && values["items"].contains("properties")) return &values["items"];
  return nullptr;
}

void add_note(Json& values, std::string note) {
  if (note.empty()) return;
  Json with_note{{"description", std::move(note)}};
  with_note.update(values);
  values = std::move(with_note);
}

/// The note of a key whose values have a section of their own: what is "below" comes with it.
std::string with_section(std::string note, const std::string& about) {
  constexpr std::string_view kBelow = ", see below";
  if (const size_t found = note.find(kBelow); found != note.npos) note.erase(found, kBelow.size());
  return about.empty() ? note : note + "\n\n" + about;
}

/// `path` leads to the mapping, "" for the recipe itself.
void add_notes(Json& mapping, const std::string& path, const KeyNotes& notes) {
  const std::string section = path.empty() ? std::string(kTopLevel) : notes.section_of(path);
  for (auto& [key, values] : mapping["properties"].items()) {
    if (path.empty() && key == "stages") {
      for (auto& [name, stage] : values["items"]["properties"].items()) {
        add_notes(stage, name, notes);
        add_note(stage, notes.about(name));
      }
    }
    std::string note = notes.about(section, key);
    if (Json* const inner = mapping_of(values); inner != nullptr && key != "stages") {
      const std::string own = path.empty() ? key : path + "." + key;
      add_notes(*inner, own, notes);
      note = with_section(std::move(note), notes.about(notes.section_of(own)));
    }
    add_note(values, std::move(note));
  }
}

constexpr std::string_view kReference = R"(\$\{[^{}]+\})";

/// Lets a key of numbers, names or lists take a reference, too. Any text is one already.
void allow_reference(Json& values) {
  const bool is_mapping = mapping_of(values) != nullptr || values.contains("anyOf");
  const bool is_text = values.contains("type") && values["type"].is_array() &&
                       !values.contains("pattern") && !values.contains("enum");
  if (is_mapping || is_text || !(values.contains("type") || values.contains("enum"))) return;
  Json wrapped, bounds = std::move(values);
  for (const char* const key : {"description", "default"}) {
    if (!bounds.contains(key)) continue;
    wrapped[key] = std::move(bounds[key]);
    bounds.erase(key);
  }
  wrapped["anyOf"] = {std::move(bounds), {{"$ref", "#/$defs/reference"}}};
  values = std::move(wrapped);
}

/// The same for each key below `schema`, but for those that a rule looks at.
void allow_references(Json& schema) {
  for (auto& [word, inner] : schema.items()) {
    if (word == "if" || word == "default" || !inner.is_structured()) continue;
    allow_references(inner);
    if (word == "properties") {
      for (auto& [key, values] : inner.items()) allow_reference(values);
    } else if (word == "items") {
      allow_reference(inner);
    }
  }
}

}  // namespace

KeyNotes::KeyNotes(std::string_view page) {
  Section* section = nullptr;
  bool is_first_paragraph = false;
  while (!page.empty()) {
    const size_t end = page.find('\n');
    const std::string_view line = page.substr(0, end);
    page.remove_prefix(end == page.npos ? page.size() : end + 1);
    if (line.starts_with("## ")) {
      section = &sections_[std::string(without_marks(line.substr(3), " `"))];
      is_first_paragraph = true;
    } else if (section == nullptr) {
      continue;
    } else if (line.starts_with('#') || line.starts_with('|')) {
      is_first_paragraph = false;
      if (!line.starts_with("| `")) continue;
      const std::vector<std::string> cells = cells_of(line);
      if (cells.size() > 1)
        section->keys[std::string(without_marks(cells[0], " `"))] = without_marks(cells[1], " ");
    } else if (line.empty()) {
      is_first_paragraph = is_first_paragraph && section->about.empty();
    } else if (is_first_paragraph) {
      section->about.append(section->about.empty() ? "" : " ").append(line);
    }
  }
}

std::string KeyNotes::section_of(const std::string& path) const {
  if (sections_.contains(path)) return path;
  const size_t dot = path.rfind('.');
  const std::string end = dot == path.npos ? "." + path : path.substr(dot);
  std::string found;
  for (const auto& [name, section] : sections_) {
    if (name.ends_with(end)) found = found.empty() ? name : path;
  }
  return found.empty() ? path : found;
}

std::string KeyNotes::about(const std::string& section) const {
  const auto found = sections_.find(section);
  return found == sections_.end() ? "" : without_links(found->second.about);
}

std::string KeyNotes::about(const std::string& section, const std::string& key) const {
  std::string name = section;
  for (size_t steps = 0; steps <= sections_.size(); ++steps) {
    const auto found = sections_.find(name);
    if (found == sections_.end() || !found->second.keys.contains(key)) return "";
    const std::string& text = found->second.keys.at(key);
    const std::string_view next = referred_section(text);
    if (next.empty()) return without_links(text);
    name = next;
  }
  return "";  // the page refers in a circle
}

Json recipe_schema(StageParsers parsers, const KeyNotes& notes) {
  Json keys = Recipe::schema(parsers);
  add_notes(keys, "", notes);
  allow_references(keys);
  Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"title", "A recipe of xkde_dist"},
              {"description",
               "Written by `xkde_dist schema`. The program knows more: which keys exclude each "
               "other, and what the inputs hold (`xkde_dist validate`)."}};
  schema.update(keys);
  schema["$defs"]["reference"] = {
      {"description", "The value of another key, such as ${run_name} or ${sft.learning_rate}."},
      {"type", "string"},
      {"pattern", concat("^", kReference, "$")}};
  return schema;
}

}  // namespace xkde::recipe
