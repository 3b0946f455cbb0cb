#include "core/data/benchmarks/edit_layout.h"

#include <fstream>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/data/found_text.h"
#include "core/text/regex/unicode.h"

namespace xkde {

namespace {

/// Where a value stands in its file, for messages.
struct Place {
  const std::string& file;
  size_t row;
  std::string path;

  Place at(std::string_view key) const {
    return {file, row, path.empty() ? std::string(key) : concat(path, ".", key)};
  }
  std::string text() const { return concat(file, ": row ", row, ": ", path); }
};

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

std::optional<Probe> parse_portability(const Json& side, const Place& place) {
  if (const Json* nested = member(side, "portability"); nested != nullptr && !nested->is_null()) {
    const Place inner = place.at("portability");
    XKDE_CHECK(nested->is_object(), DataError, inner.text(), ": expected an object, found ",
               found_text(nested));
    if (nested->empty()) return std::nullopt;
    return Probe{required_text(*nested, "New Question", inner),
                 required_text(*nested, "New Answer", inner)};
  }
  if (!side.contains("port") && !side.contains("port_ans")) return std::nullopt;
  return Probe{required_text(side, "port", place), required_text(side, "port_ans", place)};
}

EditSide parse_side(const Json& json, const Place& place) {
  XKDE_CHECK(json.is_object(), DataError, place.text(), ": expected an object, found ",
             found_text(&json));
  EditSide side;
  side.subject = required_text(json, "subject", place);
  side.src = required_text(json, "src", place);
  side.rephrase = required_text(json, "rephrase", place);
  side.alt = required_text(json, "alt", place);
  side.locality = Probe{required_text(json, "loc", place), required_text(json, "loc_ans", place)};
  side.portability = parse_portability(json, place);
  return side;
}

bool has_empty_alt(const Json& row) {
  const Json* alt = row.is_object() ? member(row, "alt") : nullptr;
  return alt != nullptr && alt->is_string() && is_blank(alt->get_ref<const std::string&>());
}

EditSide parse_train_side(const Json& row, const Place& place) {
  XKDE_CHECK(row.is_object(), DataError, place.file, ": row ", place.row,
             ": expected an object, found ", found_text(&row));
  EditSide side = parse_side(row, place);
  const Json* answers = member(row, "answers");
  if (answers == nullptr || answers->is_null()) return side;
  const Place here = place.at("answers");
  XKDE_CHECK(answers->is_array(), DataError, here.text(), ": expected a list of texts, found ",
             found_text(answers));
  if (answers->empty()) return side;
  XKDE_CHECK(answers->front().is_string(), DataError, here.at("0").text(),
             ": expected a string, found ", found_text(&answers->front()));
  if (!is_blank(answers->front().get_ref<const std::string&>()))
    side.old_answer = answers->front().get<std::string>();
  return side;
}

void check_rows(const Json& json, const std::string& name) {
  XKDE_CHECK(json.is_array(), DataError, name,
             ": expected an array of rows, found a value of type ", json.type_name());
  XKDE_CHECK(!json.empty(), DataError, name, ": expected at least one row, found none");
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

std::string text_file_code(const std::filesystem::path& path) {
  constexpr std::string_view kBegin = "zsre_mend_train_", kEnd = "_10000.txt";
  const std::string file = path.filename().string();
  if (!file.starts_with(kBegin) || !file.ends_with(kEnd) ||
      file.size() <= kBegin.size() + kEnd.size())
    return {};
  const std::string code = file.substr(kBegin.size(), file.size() - kBegin.size() - kEnd.size());
  return find_language(code) == nullptr ? std::string() : code;
}

EditFile parse_train_file(const Json& json, const std::filesystem::path& path) {
  const std::string name = path.string();
  check_rows(json, name);
  const std::string iso = path.stem().string().ends_with("_chinese") ? "zh" : "en";
  EditFile file;
  file.path = path;
  for (size_t i = 0; i < json.size(); ++i) {
    EditRecord record;
    record.index = static_cast<int64_t>(i);
    if (has_empty_alt(json[i])) {
      file.left_out[i] = "alt: empty";
    } else {
      record.sides.emplace(iso, parse_train_side(json[i], {name, i, ""}));
    }
    file.row_ids.emplace_back();  // nothing but its number ties a row to its twin
    file.rows.push_back(std::move(record));
  }
  return file;
}

EditFile read_text_file(const std::filesystem::path& path) {
  const std::string name = path.string();
  const std::string code = text_file_code(path);
  XKDE_CHECK(!code.empty(), DataError, name,
             ": expected a file zsre_mend_train_{xx}_10000.txt of a known language");
  std::ifstream lines(path, std::ios::binary);
  XKDE_CHECK(lines.is_open(), MissingInputError, name, ": cannot be opened");
  EditFile file;
  file.path = path;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    const size_t row = file.rows.size();
    XKDE_CHECK(unicode::first_invalid_byte(line) == std::string_view::npos, DataError, name,
               ": line ", row + 1, ": expected UTF-8, found other bytes");
    EditRecord record;
    record.index = static_cast<int64_t>(row);
    const size_t tab = line.find('\t');
    EditSide side;
    side.src = line.substr(0, tab);
    if (tab != std::string::npos) side.alt = line.substr(line.rfind('\t') + 1);
    if (is_blank(side.src) || is_blank(side.alt)) {
      file.left_out[row] = tab == std::string::npos ? "no tab" : "question or answer: empty";
    } else {
      record.sides.emplace(language_of(code).iso, std::move(side));
    }
    file.row_ids.emplace_back();  // nothing but its number ties a line to its twin
    file.rows.push_back(std::move(record));
  }
  XKDE_CHECK(!file.rows.empty(), DataError, name, ": expected at least one line, found none");
  return file;
}

EditFile parse_edit_file(const Json& json, const std::filesystem::path& path) {
  const std::string name = path.string();
  check_rows(json, name);
  EditFile file;
  file.path = path;
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
