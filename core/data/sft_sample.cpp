#include "core/data/sft_sample.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "core/base/error.h"
#include "core/text/chat_ids.h"

namespace xkde {

namespace {

constexpr int64_t kNoToken = -1;

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
  XKDE_CHECK(whole.starts_with(before) && position != std::string::npos, ConfigError,
             "chat_template: expected later turns that leave the text of earlier ones, found turn ",
             next, " changed");
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

/// Tokens [begin, end) of a sample.
struct Span {
  size_t begin = 0;
  size_t end = 0;
};

/// The tokens that have a part of `chat`, whose ids are the sample's.
std::vector<Span> spans_of(const std::vector<WrittenChat::Part>& parts, const WrittenChat& chat,
                           const Tokenizer& tokenizer, const SftSample& sample) {
  std::vector<Span> spans;
  for (const WrittenChat::Part& part : parts) {
    spans.push_back({ids_before(tokenizer, sample.ids, chat.text, part.begin, false),
                     ids_before(tokenizer, sample.ids, chat.text, part.end, true)});
  }
  return spans;
}

/// Where `id` stands first in a span; its end where it does not.
size_t find_in(const SftSample& sample, Span span, std::optional<int64_t> id) {
  const auto begin = sample.ids.begin() + static_cast<std::ptrdiff_t>(span.begin);
  const auto end = sample.ids.begin() + static_cast<std::ptrdiff_t>(span.end);
  return span.begin + static_cast<size_t>(std::find(begin, end, id.value_or(kNoToken)) - begin);
}

void train(SftSample& sample, Span span) {
  for (size_t i = span.begin; i < span.end; ++i) sample.trained[i] = 1;
}

/// Trains what the template marks, up to `end_id` where that ends what is trained.
void train_marked(SftSample& sample, const std::vector<Span>& marked,
                  std::optional<int64_t> end_id) {
  for (const Span& span : marked) train(sample, {span.begin, find_in(sample, span, end_id)});
}

/// Trains answers and, where it is given, the first `closing_id` behind each.
void train_answers(SftSample& sample, const std::vector<Span>& answers,
                   std::optional<int64_t> closing_id) {
  for (const Span& span : answers) {
    train(sample, span);
    const size_t closing = find_in(sample, {span.end, sample.ids.size()}, closing_id);
    if (closing < sample.ids.size()) sample.trained[closing] = 1;
  }
}

/// Leaves out what stands behind the last trained token. Throws DataError where there is none.
void end_with_last_trained(SftSample& sample, std::string_view answer) {
  const auto last = std::find(sample.trained.rbegin(), sample.trained.rend(), uint8_t{1});
  const auto length = static_cast<size_t>(sample.trained.rend() - last);
  XKDE_CHECK(length > 0, DataError, "answer: expected at least one token, found none in \"", answer,
             "\"");
  sample.ids.resize(length);
  sample.trained.resize(length);
}

/// A conversation as the model's own template writes it, tokenised as one text. Trained is what the
/// template marks, or else the answers and, with `train_on_end_of_turn`, what closes them.
SftSample encode_as_written(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                            const std::vector<ChatMessage>& turns, bool train_on_end_of_turn) {
  const WrittenChat chat = chat_template.written(turns);
  SftSample sample;
  append(sample, tokenizer.encode(chat.text), false);
  std::optional<int64_t> closing_id;
  if (train_on_end_of_turn) closing_id = required_end_of_turn(tokenizer, chat_template);
  if (!chat.generated.empty()) {
    std::optional<int64_t> end_id;
    if (!train_on_end_of_turn) end_id = end_of_turn_id(tokenizer, chat_template);
    train_marked(sample, spans_of(chat.generated, chat, tokenizer, sample), end_id);
    end_with_last_trained(sample, turns.back().content);
    return sample;
  }
  const auto answers = chat_template.places_of_answers(turns, chat.text);
  train_answers(sample, spans_of(answers, chat, tokenizer, sample), closing_id);
  end_with_last_trained(sample, turns.back().content);
  // A template that closes an answer by no token of its own: EOS, or nothing would end it.
  if (closing_id && sample.ids.back() != *closing_id) append(sample, {*closing_id}, true);
  return sample;
}

bool is_own(const ChatTemplate& chat_template) {
  return chat_template.format() == ChatTemplate::Format::kOwn;
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
  if (const auto bos = bos_before(tokenizer, chat_template)) ids.insert(ids.begin(), *bos);
  return ids;
}

SftSample encode_sample(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                        std::string_view user, std::string_view answer, bool train_on_end_of_turn) {
  if (is_own(chat_template)) {
    const std::vector<ChatMessage> turns{{ChatMessage::Role::kUser, std::string(user)},
                                         {ChatMessage::Role::kAssistant, std::string(answer)}};
    return encode_as_written(tokenizer, chat_template, turns, train_on_end_of_turn);
  }
  SftSample sample;
  append(sample, encode_prompt(tokenizer, chat_template, chat_template.prompt(user)), false);
  append_answer(sample, tokenizer, answer);
  if (train_on_end_of_turn) append(sample, {required_end_of_turn(tokenizer, chat_template)}, true);
  return sample;
}

SftSample encode_sample(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                        const Conversation& conversation, bool train_on_end_of_turn) {
  const std::vector<ChatMessage>& turns = conversation.turns;
  const bool has_system = !turns.empty() && turns.front().role == ChatMessage::Role::kSystem;
  const size_t first = has_system ? 1 : 0;
  XKDE_CHECK(turns.size() >= first + 2 && (turns.size() - first) % 2 == 0, DataError,
             "conversation ", conversation.id, ": expected user and assistant by turns, found ",
             turns.size(), " turns");
  if (is_own(chat_template))
    return encode_as_written(tokenizer, chat_template, turns, train_on_end_of_turn);
  std::optional<int64_t> trained_id;
  if (train_on_end_of_turn) trained_id = required_end_of_turn(tokenizer, chat_template);

  SftSample sample;
  const auto asked = turns.begin() + static_cast<std::ptrdiff_t>(first) + 1;
  const std::string opening = chat_template.prompt(std::vector<ChatMessage>(turns.begin(), asked));
  append(sample, encode_prompt(tokenizer, chat_template, opening), false);
  append_answer(sample, tokenizer, asked->content);
  for (size_t next = first + 2; next < turns.size(); next += 2) {
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
