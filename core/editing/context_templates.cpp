#include "core/editing/context_templates.h"

#include <algorithm>
#include <iterator>

#include "core/editing/request_tokens.h"
#include "core/generate/generator.h"

namespace xkde {
namespace {

constexpr std::string_view kBeginnings[] = {"The", "Therefore", "Because", "I", "You"};

/// `count` texts of each beginning with `tokens` new tokens, all beginnings in turn.
std::vector<std::string> texts(const EditableModel& model, int64_t tokens, int64_t count,
                               uint64_t seed) {
  std::vector<GeneratePrompt> prompts;
  for (const std::string_view beginning : kBeginnings)
    prompts.push_back({model.tokenizer.encode_beginning(beginning), prompts.size()});
  Generator generator(model.decoder, model.weights, model.tokenizer,
                      {.sampling = {.temperature = 1.0, .top_k = 5},
                       .num_return_sequences = count,
                       .max_new_tokens = tokens,
                       .stop_ids = {},
                       .stop_texts = {}});
  const auto answers = generator.generate(prompts, seed);
  std::vector<std::string> all;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    for (size_t prompt = 0; prompt < prompts.size(); ++prompt)
      all.push_back(std::string(kBeginnings[prompt]) + answers[prompt][i].text);
  }
  return all;
}

}  // namespace

std::vector<std::string> make_context_templates(EditorKind kind, const EditableModel& model,
                                                uint64_t seed) {
  std::vector<std::string> templates{std::string(kPromptPlace)};
  std::vector<std::string> beginnings;
  if (kind == EditorKind::kRome || kind == EditorKind::kWise) {
    const int64_t each = kind == EditorKind::kRome ? 2 : 1;
    beginnings = texts(model, 5, each, seed);
    std::ranges::copy(texts(model, 10, each, seed), std::back_inserter(beginnings));
  } else {
    beginnings = texts(model, 10, 1, seed);
  }
  for (std::string& text : beginnings) {
    // The braces of a text are not a place, and a prompt stands on the line that it begins.
    std::ranges::replace_if(
        text, [](char c) { return c == '{' || c == '}' || c == '\n'; }, ' ');
    templates.push_back(text + ". " + std::string(kPromptPlace));
  }
  return templates;
}

}  // namespace xkde
