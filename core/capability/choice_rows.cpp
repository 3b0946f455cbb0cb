#include "core/capability/choice_rows.h"

#include <utility>

#include "core/base/error.h"
#include "core/data/conversation.h"
#include "core/data/found_text.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"

namespace xkde {
namespace {

const Json* value_of(const Json& row, const char* key) {
  const auto it = row.find(key);
  return it == row.end() ? nullptr : &*it;
}

/// A number with its value, anything else as found_text() says.
std::string found(const Json* value) {
  return value != nullptr && value->is_number() ? value->dump() : found_text(value);
}

const std::string& context_of(const Json& row, const std::string& place) {
  const Json* context = value_of(row, "context");
  const Json* question = value_of(row, "question");
  XKDE_CHECK(context == nullptr || question == nullptr, DataError, place,
             ": expected one of the keys context and question, found both");
  const char* key = question != nullptr ? "question" : "context";
  const Json* value = question != nullptr ? question : context;
  XKDE_CHECK(value != nullptr && value->is_string(), DataError, place, ": ", key,
             ": expected a text, found ", found(value));
  return value->get_ref<const std::string&>();
}

std::vector<std::string> choices_of(const Json& row, const std::string& place) {
  const Json* list = value_of(row, "choices");
  XKDE_CHECK(list != nullptr && list->is_array(), DataError, place,
             ": choices: expected a list of texts, found ", found(list));
  XKDE_CHECK(list->size() >= 2, DataError, place, ": choices: expected at least two, found ",
             list->size());
  std::vector<std::string> choices;
  for (size_t i = 0; i < list->size(); ++i) {
    const Json& choice = (*list)[i];
    XKDE_CHECK(choice.is_string() && !choice.get_ref<const std::string&>().empty(), DataError,
               place, ": choices.", i, ": expected a text that is not empty, found ",
               found(&choice));
    choices.push_back(choice.get<std::string>());
  }
  return choices;
}

size_t answer_of(const Json& row, size_t num_choices, const std::string& place) {
  const Json* answer = value_of(row, "answer");
  const bool fits = answer != nullptr && answer->is_number_integer() &&
                    answer->get<int64_t>() >= 0 &&
                    answer->get<int64_t>() < static_cast<int64_t>(num_choices);
  XKDE_CHECK(fits, DataError, place, ": answer: expected the index of a choice, 0 to ",
             num_choices - 1, ", found ", found(answer));
  return answer->get<size_t>();
}

std::string id_of(const Json& row, const std::string& place) {
  const Json* id = value_of(row, "id");
  if (id == nullptr) return "";
  XKDE_CHECK(id->is_string() || id->is_number_integer(), DataError, place,
             ": id: expected a text or an integer, found ", found(id));
  return id->is_string() ? id->get<std::string>() : id->dump();
}

std::string language_of_row(const Json& row, const std::string& otherwise,
                            const std::string& place) {
  const Json* language = value_of(row, "lang");
  if (language == nullptr) return otherwise;
  XKDE_CHECK(language->is_string() && !is_blank(language->get_ref<const std::string&>()), DataError,
             place, ": lang: expected a language's code, found ", found(language));
  return language->get<std::string>();
}

}  // namespace

std::vector<ChoiceRow> read_choice_rows(const std::filesystem::path& file,
                                        const std::string& language) {
  std::vector<ChoiceRow> rows;
  LineReader lines(file, FileOrigin::kInput);
  for (std::string line; lines.next(line);) {
    if (is_blank(line)) continue;
    const std::string place = concat(file.string(), ": line ", lines.number());
    const Json row = parse_json(line, place);
    XKDE_CHECK(row.is_object(), DataError, place, ": expected an object, found a value of type ",
               row.type_name());
    expect_keys(row, {"id", "lang", "context", "question", "choices", "answer"}, place);
    std::vector<std::string> choices = choices_of(row, place);
    const size_t answer = answer_of(row, choices.size(), place);
    rows.push_back({.id = id_of(row, place),
                    .language = language_of_row(row, language, place),
                    .context = context_of(row, place),
                    .choices = std::move(choices),
                    .answer = answer,
                    .line = lines.number()});
  }
  XKDE_CHECK(!rows.empty(), DataError, file.string(),
             ": expected a question with choices a line, found none");
  return rows;
}

}  // namespace xkde
