#include "core/data/sft_sample.h"

#include <algorithm>
#include <optional>

#include "core/base/error.h"

namespace xkde {

namespace {

void append(SftSample& sample, const std::vector<int64_t>& ids, bool is_trained) {
  sample.ids.insert(sample.ids.end(), ids.begin(), ids.end());
  sample.trained.resize(sample.ids.size(), is_trained ? 1 : 0);
}

/// Llama-2's template leaves a blank before the answer, which the answer's own first piece brings
/// ("▁yes").
std::string_view before_answer(const ChatTemplate& chat_template, std::string_view text) {
  const bool has_blank =
      chat_template.format() == ChatTemplate::Format::kLlama2 && text.ends_with(' ');
  return text.substr(0, text.size() - (has_blank ? 1 : 0));
}

std::optional<int64_t> end_of_turn_id(const Tokenizer& tokenizer,
                                      const ChatTemplate& chat_template) {
  if (chat_template.end_of_turn().empty()) return tokenizer.eos_id();
  return tokenizer.token_to_id(chat_template.end_of_turn());
}

int64_t required_end_of_turn(const Tokenizer& tokenizer, const ChatTemplate& chat_template) {
  const auto id = end_of_turn_id(tokenizer, chat_template);
  const std::string& token = chat_template.end_of_turn();
  XKDE_CHECK(id.has_value(), ConfigError, "chat_template: expected the end-of-turn token ",
             token.empty() ? "EOS" : "\"" + token + "\"",
             " in the tokenizer's vocabulary, found none");
  return *id;
}

void append_answer(SftSample& sample, const Tokenizer& tokenizer, std::string_view answer) {
  const std::vector<int64_t> ids = tokenizer.encode(answer);
  XKDE_CHECK(!ids.empty(), DataError, "answer: expected at least one token, found none in \"",
             answer, "\"");
  append(sample, ids, true);
}

/// What the template writes between the answer turns[next - 1] and the opening of the next answer:
/// the closing of the one turn and the whole of the user's turn. A mark in the answer's place finds
/// it whatever blanks the template adds.
std::string text_between(const ChatTemplate& chat_template, const std::vector<ChatMessage>& turns,
                         size_t next) {
  static const std::string kMark = "\x01";
  const auto end = turns.begin() + static_cast<std::ptrdiff_t>(next);
  const std::string before = chat_template.prompt(std::vector<ChatMessage>(turns.begin(), end - 1));
  std::vector<ChatMessage> marked(turns.begin(), end + 1);
  marked[next - 1].content = kMark;
  const std::string whole = chat_template.prompt(marked);
  const size_t position = whole.find(kMark, before.size());
  XKDE_CHECK(whole.starts_with(before) && position != std::string::npos, InternalError,
             "chat template: a later turn changes the text of an earlier one");
  return whole.substr(position + kMark.size());
}

void append_between(SftSample& sample, const std::vector<int64_t>& ids,
                    std::optional<int64_t> trained_id) {
  const size_t start = sample.ids.size();
  append(sample, ids, false);
  if (!trained_id) return;
  const auto closing = std::find(sample.ids.begin() + static_cast<std::ptrdiff_t>(start),
                                 sample.ids.end(), *trained_id);
  if (closing != sample.ids.end())
    sample.trained[static_cast<size_t>(closing - sample.ids.begin())] = 1;
}

}  // namespace

int64_t SftSample::num_trained() const {
  return std::count(trained.begin(), trained.end(), uint8_t{1});
}

int64_t SftSample::prompt_length() const {
  return std::find(trained.begin(), trained.end(), uint8_t{1}) - trained.begin();
}

std::vector<int64_t> encode_prompt(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                                   std::string_view prompt) {
  if (chat_template.format() == ChatTemplate::Format::kPlain)
    return tokenizer.encode_beginning(prompt);
  std::vector<int64_t> ids = tokenizer.encode(before_answer(chat_template, prompt));
  if (chat_template.wants_bos()) {
    const auto bos = tokenizer.bos_id();
    XKDE_CHECK(bos.has_value(), ConfigError,
               "chat_template: expected a tokenizer with a BOS token, found none");
    ids.insert(ids.begin(), *bos);
  }
  return ids;
}

SftSample encode_sample(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                        std::string_view user, std::string_view answer, bool train_on_end_of_turn) {
  SftSample sample;
  append(sample, encode_prompt(tokenizer, chat_template, chat_template.prompt(user)), false);
  append_answer(sample, tokenizer, answer);
  if (train_on_end_of_turn) append(sample, {required_end_of_turn(tokenizer, chat_template)}, true);
  return sample;
}

SftSample encode_sample(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                        const Conversation& conversation, bool train_on_end_of_turn) {
  const std::vector<ChatMessage>& turns = conversation.turns;
  XKDE_CHECK(turns.size() >= 2 && turns.size() % 2 == 0, DataError, "conversation ",
             conversation.id, ": expected user and assistant by turns, found ", turns.size(),
             " turns");
  std::optional<int64_t> trained_id;
  if (train_on_end_of_turn) trained_id = required_end_of_turn(tokenizer, chat_template);

  SftSample sample;
  const std::string opening = chat_template.prompt(std::vector<ChatMessage>{turns.front()});
  append(sample, encode_prompt(tokenizer, chat_template, opening), false);
  append_answer(sample, tokenizer, turns[1].content);
  for (size_t next = 2; next < turns.size(); next += 2) {
    const std::string between = text_between(chat_template, turns, next);
    append_between(sample, tokenizer.encode(before_answer(chat_template, between)), trained_id);
    append_answer(sample, tokenizer, turns[next + 1].content);
  }
  if (trained_id) append(sample, {*trained_id}, true);
  return sample;
}

void truncate_sample(SftSample& sample, int64_t max_length, const std::string& name) {
  XKDE_CHECK(max_length > 0, ConfigError, "max_length: expected a positive number, found ",
             max_length);
  const size_t length = std::min(sample.ids.size(), static_cast<size_t>(max_length));
  sample.ids.resize(length);
  sample.trained.resize(length);
  XKDE_CHECK(sample.num_trained() > 0, DataError, name,
             ": expected a trained token among the first ", max_length,
             " tokens (max_length), found none");
}

void truncate_in_proportion(SftSample& sample, int64_t max_length, const std::string& name) {
  const auto length = static_cast<int64_t>(sample.ids.size());
  const int64_t source = sample.prompt_length();
  const int64_t target = length - source;
  int64_t most = max_length * target / std::max<int64_t>(1, length);
  if (2 * target < max_length) {
    most = max_length;
  } else if (2 * source < max_length) {
    most = max_length - source;
  }
  const int64_t kept_target = std::min(most, target);
  const int64_t kept_source = std::min(source, std::max<int64_t>(0, max_length - kept_target));
  const auto cut = [&](auto& values) {
    values.erase(values.begin() + kept_source, values.begin() + source);
    values.resize(static_cast<size_t>(kept_source + kept_target));
  };
  cut(sample.ids);
  cut(sample.trained);
  truncate_sample(sample, max_length, name);
}

}  // namespace xkde
