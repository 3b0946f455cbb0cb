#include "core/data/benchmarks/edit_rows.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/data/found_text.h"

namespace xkde {

namespace {

const Json* member(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

/// The text exactly as written: some answers of Bi-ZsRE begin with a blank that belongs to them.
std::string required_text(const Json& object, const char* key, const Place& place) {
  const Json* value = member(object, key);
  const bool is_text =
      value != nullptr && value->is_string() && !is_blank(value->get_ref<const std::string&>());
  XKDE_CHECK(is_text, DataError, place.at(key).text(), ": expected a non-empty string, found ",
             found_text(value));
  return value->get<std::string>();
}

bool has_blank(const Json& object, const char* key) {
  const Json* value = member(object, key);
  return value != nullptr && value->is_string() && is_blank(value->get_ref<const std::string&>());
}

/// "es." of a side; nothing of a row that is one.
std::string prefix_of(const Place& place) { return place.path.empty() ? "" : place.path + "."; }

Probe probe_of(ProbeKind kind, std::string question, std::string answer) {
  return {.kind = kind,
          .question = std::move(question),
          .answers = {{answer}},
          .position = 0,
          .target = answer};
}

/// A question and its answer. Where the file leaves one of them blank there is no probe; where it
/// has only one of them, that is an error.
struct ProbeKeys {
  ProbeKind kind{};
  const char* question = nullptr;
  const char* answer = nullptr;
};

void read_probe(const Json& object, const ProbeKeys& keys, const Place& place,
                std::string_view before, EditSide& side) {
  for (const char* key : {keys.question, keys.answer}) {
    if (!has_blank(object, key)) continue;
    side.left_out.push_back(concat(before, key, ": empty"));
    return;
  }
  std::string question = required_text(object, keys.question, place);
  side.probes.push_back(
      probe_of(keys.kind, std::move(question), required_text(object, keys.answer, place)));
}

void read_portability(const Json& json, const Place& place, std::string_view side_path,
                      EditSide& side, Skipped& skipped) {
  constexpr std::string_view kKnown[] = {"New Question", "New Answer", "Recalled Relation"};
  if (const Json* nested = member(json, "portability"); nested != nullptr && !nested->is_null()) {
    const Place inner = place.at("portability");
    XKDE_CHECK(nested->is_object(), DataError, inner.text(), ": expected an object, found ",
               found_text(nested));
    if (nested->empty()) return;
    count_unknown(*nested, kKnown, concat(side_path, "portability."), skipped);
    read_probe(*nested, {ProbeKind::kPortability, "New Question", "New Answer"}, inner,
               "portability.", side);
    return;
  }
  if (!json.contains("port") && !json.contains("port_ans")) return;
  read_probe(json, {ProbeKind::kPortability, "port", "port_ans"}, place, "", side);
}

void read_old_answer(const Json& json, const Place& place, EditSide& side) {
  const Json* old = member(json, "old");
  if (old == nullptr || old->is_null() || has_blank(json, "old")) return;
  side.old_answers.push_back(required_text(json, "old", place));
}

/// `answers` gives the old answer, if any.
void read_answers(const Json& json, const Place& place, EditSide& side) {
  const Json* answers = member(json, "answers");
  if (answers == nullptr || answers->is_null()) return;
  const Place here = place.at("answers");
  XKDE_CHECK(answers->is_array(), DataError, here.text(), ": expected a list of texts, found ",
             found_text(answers));
  if (answers->empty()) return;
  XKDE_CHECK(answers->front().is_string(), DataError, here.at("0").text(),
             ": expected a string, found ", found_text(&answers->front()));
  if (!is_blank(answers->front().get_ref<const std::string&>()))
    side.old_answers.push_back(answers->front().get<std::string>());
}

/// The fields of a side but for the old answer.
EditSide read_side(const Json& json, const Place& place, Skipped& skipped) {
  EditSide side;
  side.subject = required_text(json, "subject", place);
  side.src = required_text(json, "src", place);
  if (has_blank(json, "rephrase")) {
    side.left_out.emplace_back("rephrase: empty");
  } else {
    side.rephrases.push_back(required_text(json, "rephrase", place));
  }
  side.alt = required_text(json, "alt", place);
  read_probe(json, {ProbeKind::kLocality, "loc", "loc_ans"}, place, "", side);
  read_portability(json, place, prefix_of(place), side, skipped);
  return side;
}

/// The row's identity, equal in every side that states one.
std::string parse_case_id(const Json& row, const Place& place) {
  std::string id;
  for (const auto& [key, side] : row.items()) {
    if (find_language(key) == nullptr || !side.is_object() || !side.contains("case_id")) continue;
    const Json& value = side["case_id"];
    const Place here = place.at(key).at("case_id");
    XKDE_CHECK(value.is_number_integer() || value.is_string(), DataError, here.text(),
               ": expected an integer or a string, found ", found_text(&value));
    std::string text = value.dump();
    XKDE_CHECK(id.empty() || id == text, DataError, here.text(), ": expected ", id,
               " as in the row's other language, found ", text);
    id = std::move(text);
  }
  return id;
}

EditRecord parse_row(const Json& row, const Place& place, Skipped& skipped) {
  XKDE_CHECK(row.is_object(), DataError, place.file, ": row ", place.row,
             ": expected an object {language: side}, found ", found_text(&row));
  EditRecord record;
  record.index = static_cast<int64_t>(place.row);
  for (const auto& [key, side] : row.items()) {
    const Language* language = find_language(key);
    // "id" is Indonesian, and what many files call a number or a name of a row.
    if (language == nullptr || (key == "id" && !side.is_object())) {
      ++skipped[key + ": unknown field"];
      continue;
    }
    const bool is_new =
        record.sides.emplace(language->iso, parse_side(side, place.at(key), skipped)).second;
    XKDE_CHECK(is_new, DataError, place.at(key).text(), ": expected each language once, found ",
               language->english_name, " under two codes");
  }
  return record;
}

}  // namespace

Place Place::at(std::string_view key) const {
  return {file, row, path.empty() ? std::string(key) : concat(path, ".", key)};
}

std::string Place::text() const { return concat(file, ": row ", row, ": ", path); }

void check_rows(const Json& json, const std::string& name) {
  XKDE_CHECK(json.is_array(), DataError, name,
             ": expected an array of rows, found a value of type ", json.type_name());
  XKDE_CHECK(!json.empty(), DataError, name, ": expected at least one row, found none");
}

void count_unknown(const Json& object, std::span<const std::string_view> known,
                   std::string_view before, Skipped& skipped) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      ++skipped[concat(before, key, ": unknown field")];
  }
}

EditSide parse_side(const Json& json, const Place& place, Skipped& skipped) {
  constexpr std::string_view kKnown[] = {"case_id", "subject",  "src",        "rephrase",
                                         "alt",     "old",      "loc",        "loc_ans",
                                         "port",    "port_ans", "portability"};
  XKDE_CHECK(json.is_object(), DataError, place.text(), ": expected an object, found ",
             found_text(&json));
  EditSide side = read_side(json, place, skipped);
  read_old_answer(json, place, side);
  count_unknown(json, kKnown, prefix_of(place), skipped);
  return side;
}

EditSide parse_zsre_row(const Json& json, const Place& place, Skipped& skipped) {
  constexpr std::string_view kKnown[] = {
      "case_id", "subject", "src",      "rephrase",    "alt",  "answers", "loc",
      "loc_ans", "port",    "port_ans", "portability", "pred", "cond"};
  XKDE_CHECK(json.is_object(), DataError, place.file, ": row ", place.row,
             ": expected an object, found ", found_text(&json));
  EditSide side = read_side(json, place, skipped);
  read_answers(json, place, side);
  count_unknown(json, kKnown, prefix_of(place), skipped);
  return side;
}

EditFile read_parallel_file(const std::filesystem::path& path) {
  const Json json = read_json_file(path);
  const std::string name = path.string();
  check_rows(json, name);
  EditFile file{.path = path};
  for (size_t i = 0; i < json.size(); ++i) {
    const Place place{name, i, ""};
    EditRecord record = parse_row(json[i], place, file.skipped);
    std::string id = parse_case_id(json[i], place);
    if (const auto english = record.sides.find("en"); id.empty() && english != record.sides.end()) {
      id = english->second.src;
    }
    file.row_ids.push_back(std::move(id));
    file.rows.push_back(std::move(record));
  }
  return file;
}

}  // namespace xkde
