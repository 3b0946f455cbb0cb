#include "core/evaluate/judge/labelled_rows.h"

#include "core/base/error.h"
#include "core/data/conversation.h"
#include "core/data/found_text.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"

namespace xkde {
namespace {

const Json* member(const Json& row, const char* key) {
  const auto it = row.find(key);
  return it == row.end() ? nullptr : &*it;
}

const std::string& text_in(const Json* value, const std::string& place) {
  XKDE_CHECK(value != nullptr && value->is_string(), DataError, place, ": expected a text, found ",
             found_text(value));
  return value->get_ref<const std::string&>();
}

const std::string& some_text_in(const Json* value, const std::string& place) {
  const std::string& text = text_in(value, place);
  XKDE_CHECK(!is_blank(text), DataError, place, ": expected a text that is not blank, found ",
             found_text(value));
  return text;
}

std::vector<std::string> right_answers(const Json* list, const std::string& place) {
  XKDE_CHECK(list != nullptr && list->is_array() && !list->empty(), DataError, place,
             ": expected a list of at least one text, found ", found_text(list));
  std::vector<std::string> right;
  for (size_t i = 0; i < list->size(); ++i)
    right.push_back(some_text_in(&(*list)[i], concat(place, ".", i)));
  return right;
}

LabelledRow labelled_row(const Json& row, const std::string& place) {
  XKDE_CHECK(row.is_object(), DataError, place, ": expected an object, found a value of type ",
             row.type_name());
  expect_keys(row, {"lang", "question", "right", "answer", "label"}, place);
  const Json* language = member(row, "lang");
  const Json* label = member(row, "label");
  XKDE_CHECK(label != nullptr && label->is_boolean(), DataError, place,
             ": label: expected true or false, found ", found_text(label));
  return {.language = language == nullptr ? "und" : some_text_in(language, place + ": lang"),
          .asked = judge_question(some_text_in(member(row, "question"), place + ": question"),
                                  right_answers(member(row, "right"), place + ": right"),
                                  text_in(member(row, "answer"), place + ": answer")),
          .is_right = label->get<bool>()};
}

}  // namespace

std::vector<LabelledRow> read_labelled_rows(const std::filesystem::path& file) {
  std::vector<LabelledRow> rows;
  LineReader lines(file, FileOrigin::kInput);
  for (std::string line; lines.next(line);) {
    if (is_blank(line)) continue;
    const std::string place = concat(file.string(), ": line ", lines.number());
    rows.push_back(labelled_row(parse_json(line, place), place));
  }
  XKDE_CHECK(!rows.empty(), DataError, file.string(),
             ": expected a labelled answer a line, found none");
  return rows;
}

}  // namespace xkde
