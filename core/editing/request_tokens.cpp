#include "core/editing/request_tokens.h"

#include "core/base/error.h"
#include "core/data/language.h"
#include "core/edit/scored_sequence.h"
#include "core/edit/subject_place.h"
#include "core/edit/token_place.h"
#include "core/text/chat_ids.h"

namespace xkde {
namespace {

std::string record_name(const EditRequest& request) {
  return concat("record ", request.record, " (", request.language, ")");
}

std::optional<SubjectPlace> subject_of(const EditRequest& request) {
  return find_subject(request.prompt, request.subject, language_of(request.language));
}

/// Byte behind the subject in the prompt.
size_t subject_end(const EditRequest& request) {
  const std::optional<SubjectPlace> place = subject_of(request);
  XKDE_CHECK(place, DataError, record_name(request), ": expected the subject \"", request.subject,
             "\" in the prompt, found \"", request.prompt, "\"");
  return place->end;
}

RequestTokens from_scored(ScoredSequence scored) {
  return {.ids = std::move(scored.ids),
          .first_prediction = scored.first_prediction,
          .target_ids = std::move(scored.target_ids),
          .subject_end = 0};
}

}  // namespace

RequestTokens request_tokens(const EditableModel& model, const EditRequest& request,
                             std::string_view context, bool with_subject) {
  const size_t place = context.find(kPromptPlace);
  XKDE_CHECK(place != std::string_view::npos, ConfigError, "context template \"", context,
             "\": expected ", kPromptPlace, " in it, found none");
  const std::string_view before = context.substr(0, place);
  const std::string filled =
      concat(before, request.prompt, context.substr(place + kPromptPlace.size()));
  const Tokenizer& tokenizer = model.tokenizer;
  if (model.chat_template == nullptr) {
    RequestTokens tokens = from_scored(scored_in_context(tokenizer, filled, request.target));
    if (with_subject) {
      const std::vector<int64_t> ids = tokenizer.encode(filled, /*add_special_tokens=*/true);
      tokens.subject_end =
          last_token_of(tokenizer, filled, before.size() + subject_end(request), ids);
    }
    return tokens;
  }
  const std::string turn = model.chat_template->prompt(filled);
  const size_t prompt_place = turn.find(filled);
  XKDE_CHECK(prompt_place != std::string::npos, DataError, record_name(request),
             ": expected the prompt as it stands in its turn, found another text");
  const std::optional<int64_t> bos = bos_before(tokenizer, *model.chat_template);
  const size_t special = bos ? 1 : 0;
  RequestTokens tokens;
  tokens.ids = tokenizer.encode(turn + request.target);
  const size_t start = tokenizer.encode(turn).size();
  XKDE_CHECK(start > 0 && start < tokens.ids.size(), DataError, record_name(request),
             ": expected at least one token of the target, found none in \"", request.target, "\"");
  tokens.target_ids.assign(tokens.ids.begin() + static_cast<std::ptrdiff_t>(start),
                           tokens.ids.end());
  tokens.ids.pop_back();
  if (bos) tokens.ids.insert(tokens.ids.begin(), *bos);
  tokens.first_prediction = static_cast<int64_t>(special + start) - 1;
  if (with_subject) {
    const size_t end = prompt_place + before.size() + subject_end(request);
    tokens.subject_end =
        static_cast<int64_t>(special) + last_token_of(tokenizer, turn, end, tokenizer.encode(turn));
  }
  return tokens;
}

RequestTokens essence_tokens(const EditableModel& model, const EditRequest& request) {
  const std::string text = request.subject + " is a";
  RequestTokens tokens;
  tokens.ids = model.tokenizer.encode_beginning(text);
  tokens.subject_end = last_token_of(model.tokenizer, text, request.subject.size(), tokens.ids);
  tokens.first_prediction = tokens.subject_end;
  tokens.ids.resize(static_cast<size_t>(tokens.subject_end) + 1);
  return tokens;
}

std::optional<std::string> why_unwritable(const EditableModel& model, const EditRequest& request,
                                          bool needs_subject) {
  if (request.target.empty()) return "target: empty";
  if (needs_subject && request.subject.empty()) return "subject: empty";
  if (needs_subject && !subject_of(request)) return "subject: not in the prompt";
  const RequestTokens tokens = request_tokens(model, request, kPromptPlace, needs_subject);
  const int64_t longest = model.decoder.config().context_length();
  if (std::ssize(tokens.ids) > longest) return "prompt: longer than the model's context";
  return std::nullopt;
}

}  // namespace xkde
