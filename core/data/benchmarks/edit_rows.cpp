#include "core/data/benchmarks/edit_rows.h"

#include <optional>
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

Probe probe_of(ProbeKind kind, std::string question, std::string answer) {
  return {.kind = kind,
          .question = std::move(question),
          .answers = {{answer}},
          .position = 0,
          .target = answer};
}

std::optional<Probe> parse_portability(const Json& side, const Place& place) {
  if (const Json* nested = member(side, "portability"); nested != nullptr && !nested->is_null()) {
    const Place inner = place.at("portability");
    XKDE_CHECK(nested->is_object(), DataError, inner.text(), ": expected an object, found ",
               found_text(nested));
    if (nested->empty()) return std::nullopt;
    std::string question = required_text(*nested, "New Question", inner);
    return probe_of(ProbeKind::kPortability, std::move(question),
                    required_text(*nested, "New Answer", inner));
  }
  if (!side.contains("port") && !side.contains("port_ans")) return std::nullopt;
  std::string question = required_text(side, "port", place);
  return probe_of(ProbeKind::kPortability, std::move(question),
                  required_text(side, "port_ans", place));
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

EditRecord parse_row(const Json& row, const Place& place) {
  XKDE_CHECK(row.is_object(), DataError, place.file, ": row ", place.row,
             ": expected an object {language: side}, found ", found_text(&row));
  EditRecord record;
  record.index = static_cast<int64_t>(place.row);
  for (const auto& [key, side] : row.items()) {
    const Language* language = find_language(key);
    if (language == nullptr) continue;
    const bool is_new = record.sides.emplace(language->iso, parse_side(side, place.at(key))).second;
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

EditSide parse_side(const Json& json, const Place& place) {
  XKDE_CHECK(json.is_object(), DataError, place.text(), ": expected an object, found ",
             found_text(&json));
  EditSide side;
  side.subject = required_text(json, "subject", place);
  side.src = required_text(json, "src", place);
  side.rephrase = required_text(json, "rephrase", place);
  side.alt = required_text(json, "alt", place);
  std::string loc = required_text(json, "loc", place);
  side.probes.push_back(
      probe_of(ProbeKind::kLocality, std::move(loc), required_text(json, "loc_ans", place)));
  if (std::optional<Probe> portability = parse_portability(json, place))
    side.probes.push_back(std::move(*portability));
  return side;
}

EditFile read_parallel_file(const std::filesystem::path& path) {
  const Json json = read_json_file(path);
  const std::string name = path.string();
  check_rows(json, name);
  EditFile file{.path = path};
  for (size_t i = 0; i < json.size(); ++i) {
    const Place place{name, i, ""};
    EditRecord record = parse_row(json[i], place);
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
