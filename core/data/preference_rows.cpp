#include "core/data/preference_rows.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/base/error.h"
#include "core/io/file_reader.h"

namespace xkde {
namespace {

std::string kind_of(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end()) return "nothing";
  return it->is_null() ? "null" : concat("a value of type ", it->type_name());
}

std::string text_of(const Json& object, const char* key, const std::string& place) {
  const auto it = object.find(key);
  XKDE_CHECK(it != object.end() && it->is_string(), DataError, place, key,
             ": expected a text, found ", kind_of(object, key));
  return it->get<std::string>();
}

std::string text_or(const Json& object, const char* key, const std::string& place,
                    const std::string& otherwise) {
  return object.contains(key) ? text_of(object, key, place) : otherwise;
}

std::optional<double> score_of(const Json& object, const char* key, const std::string& place) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return std::nullopt;
  XKDE_CHECK(it->is_number(), DataError, place, key, ": expected a number or null, found ",
             kind_of(object, key));
  return it->get<double>();
}

/// The value of a line. The last one of a file needs no line feed, as long as it is a whole value.
Json parse_line(const std::string& line, bool is_whole, const std::string& place) {
  try {
    return parse_json(line, place);
  } catch (const DataError&) {
    XKDE_CHECK(is_whole, DataError, place,
               ": expected a whole line, found one that was cut short after ", line.size(),
               " bytes");
    throw;
  }
}

/// Calls `row(object, "file: line 3: ", 3)` for each line.
void for_each_line(const std::filesystem::path& path,
                   const std::function<void(const Json&, const std::string&, int64_t)>& row) {
  LineReader lines(path, FileOrigin::kInput);
  for (std::string line; lines.next(line);) {
    if (line.empty() || line == "\r") continue;
    const std::string place = concat(path.string(), ": line ", lines.number());
    const size_t begin = line.find_first_not_of(" \t");
    XKDE_CHECK(begin == std::string::npos || line[begin] != '[', DataError, place,
               ": expected one JSON object a line, found the beginning of a list");
    const Json object = parse_line(line, lines.is_whole(), place);
    XKDE_CHECK(object.is_object(), DataError, place, ": expected an object, found a value of type ",
               object.type_name());
    row(object, place + ": ", lines.number());
  }
}

SampleRow parse_sample(const Json& object, const std::string& place) {
  expect_keys(object, {"id", "prompt", "gold", "answers", "edit_language", "test_language"},
              place.substr(0, place.size() - 2));
  SampleRow row{.id = text_or(object, "id", place, ""),
                .prompt = text_of(object, "prompt", place),
                .gold = text_of(object, "gold", place),
                .answers = {}};
  row.languages = parse_languages(object, row.id, place.substr(0, place.size() - 2));
  const auto answers = object.find("answers");
  XKDE_CHECK(answers != object.end() && answers->is_array(), DataError, place,
             "answers: expected an array, found ", kind_of(object, "answers"));
  for (size_t i = 0; i < answers->size(); ++i) {
    const std::string here = concat(place, "answers.", i, ".");
    const Json& answer = (*answers)[i];
    XKDE_CHECK(answer.is_object(), DataError, here, " expected an object, found a value of type ",
               answer.type_name());
    expect_keys(answer, {"text", "token_ids", "finish_reason"}, concat(place, "answers.", i));
    SampledAnswer sampled{.text = text_of(answer, "text", here),
                          .token_ids = {},
                          .finish_reason = text_or(answer, "finish_reason", here, "stop")};
    if (const auto ids = answer.find("token_ids"); ids != answer.end() && ids->is_array()) {
      for (const Json& id : *ids) {
        XKDE_CHECK(id.is_number_integer(), DataError, here,
                   "token_ids: expected integers, found a value of type ", id.type_name());
        sampled.token_ids.push_back(id.get<int64_t>());
      }
    }
    row.answers.push_back(std::move(sampled));
  }
  return row;
}

/// Prompt and answers as lists of messages, in TRL's layout: the answer alone beside a prompt, or,
/// without one, two conversations that differ in their last turn.
void parse_message_lists(const Json& object, const std::string& place, PairRow& row) {
  const auto list = [&](const char* key) {
    const auto it = object.find(key);
    XKDE_CHECK(it != object.end() && it->is_array(), DataError, place, key,
               ": expected a list of messages, as the other answer has, found ",
               kind_of(object, key));
    return parse_messages(*it, place + key);
  };
  std::vector<ChatMessage> chosen = list("chosen");
  std::vector<ChatMessage> rejected = list("rejected");
  row.chosen = chosen.back().content;
  row.rejected = rejected.back().content;
  const auto is_answer = [](const std::vector<ChatMessage>& turns) {
    return turns.back().role == ChatMessage::Role::kAssistant;
  };
  XKDE_CHECK(is_answer(chosen) && is_answer(rejected), DataError, place,
             "chosen, rejected: expected a last message of the assistant, found another");
  chosen.pop_back();
  rejected.pop_back();
  const auto is_same = [](const ChatMessage& a, const ChatMessage& b) {
    return a.role == b.role && a.content == b.content;
  };
  XKDE_CHECK(std::equal(chosen.begin(), chosen.end(), rejected.begin(), rejected.end(), is_same),
             DataError, place,
             "chosen, rejected: expected conversations that differ in the last message only, "
             "found others");
  row.turns = object.contains("prompt") ? list("prompt") : std::move(chosen);
  XKDE_CHECK(!object.contains("prompt") || rejected.empty(), DataError, place,
             "chosen, rejected: expected one message each beside a prompt, found more");
  XKDE_CHECK(!row.turns.empty() && row.turns.back().role == ChatMessage::Role::kUser, DataError,
             place, "prompt: expected a last message of the user, found another");
}

PairRow parse_pair(const Json& object, const std::string& place) {
  expect_keys(object,
              {"id", "prompt", "chosen", "rejected", "score_chosen", "score_rejected", "split"},
              place.substr(0, place.size() - 2));
  PairRow row{.id = text_or(object, "id", place, ""),
              .prompt = {},
              .chosen = {},
              .rejected = {},
              .score_chosen = score_of(object, "score_chosen", place),
              .score_rejected = score_of(object, "score_rejected", place)};
  const auto chosen = object.find("chosen");
  if (chosen != object.end() && chosen->is_array()) {
    parse_message_lists(object, place, row);
  } else {
    row.prompt = text_of(object, "prompt", place);
    row.chosen = text_of(object, "chosen", place);
    row.rejected = text_of(object, "rejected", place);
  }
  const std::string split = text_or(object, "split", place, "train");
  XKDE_CHECK(split == "train" || split == "dev", DataError, place,
             "split: expected \"train\" or \"dev\", found \"", split, "\"");
  row.is_dev = split == "dev";
  return row;
}

/// What a finished conversation writes behind its prompt.
std::string text_behind(const std::string& prompt, std::vector<ChatMessage> turns,
                        const std::string& answer, const ChatTemplate& chat_template) {
  turns.push_back({ChatMessage::Role::kAssistant, answer});
  std::string whole = chat_template.finished(turns);
  // A prompt that leaves BOS to the tokenizer stands behind it in the whole text.
  const size_t begin = chat_template.wants_bos() ? whole.find(prompt) : 0;
  XKDE_CHECK(begin != std::string::npos && whole.compare(begin, prompt.size(), prompt) == 0,
             ConfigError,
             "chat_template: expected a template that writes an answer behind its prompt, found "
             "another");
  return whole.substr(begin + prompt.size());
}

Json score_json(const std::optional<double>& score) { return score ? Json(*score) : Json(); }

}  // namespace

Json to_json(const SampleRow& row) {
  Json answers = Json::array();
  for (const SampledAnswer& answer : row.answers) {
    answers.push_back({{"text", answer.text},
                       {"token_ids", answer.token_ids},
                       {"finish_reason", answer.finish_reason}});
  }
  Json json{{"id", row.id}, {"prompt", row.prompt}, {"gold", row.gold}, {"answers", answers}};
  if (row.languages != languages_in_id(row.id)) {
    json["edit_language"] = row.languages.edit;
    json["test_language"] = row.languages.test;
  }
  return json;
}

Json to_json(const PairRow& row) {
  return {{"id", row.id},
          {"prompt", row.prompt},
          {"chosen", row.chosen},
          {"rejected", row.rejected},
          {"score_chosen", score_json(row.score_chosen)},
          {"score_rejected", score_json(row.score_rejected)},
          {"split", row.is_dev ? "dev" : "train"}};
}

std::vector<SampleRow> read_samples(const std::filesystem::path& path) {
  std::vector<SampleRow> rows;
  for_each_line(path, [&](const Json& object, const std::string& place, int64_t /*line*/) {
    rows.push_back(parse_sample(object, place));
  });
  return rows;
}

std::vector<PairRow> read_pairs(const std::filesystem::path& path) {
  std::vector<PairRow> rows;
  for_each_line(path, [&](const Json& object, const std::string& place, int64_t line) {
    rows.push_back(parse_pair(object, place));
    rows.back().line = line;
  });
  return rows;
}

PairRow as_texts(const PairRow& row, const ChatTemplate& chat_template) {
  PairRow texts = row;
  if (row.turns.empty()) return texts;
  texts.prompt = chat_template.prompt(row.turns);
  texts.chosen = text_behind(texts.prompt, row.turns, row.chosen, chat_template);
  texts.rejected = text_behind(texts.prompt, row.turns, row.rejected, chat_template);
  texts.turns.clear();
  return texts;
}

}  // namespace xkde
