#include "core/evaluate/eval_chunks.h"

#include <functional>

namespace xkde {
namespace {

/// Answers generated in one chunk.
constexpr size_t kGeneratedPerChunk = 64;

/// Cuts prompts, sorted, where their tokens exceed `max_tokens`.
void cut(std::vector<EvalChunk>& chunks, ChunkKind kind, const std::vector<PromptTokens>& tokens,
         int64_t max_tokens, const std::function<size_t(size_t)>& weights_of) {
  size_t first = 0;
  int64_t sum = 0;
  const auto close = [&](size_t end) {
    if (first < end) chunks.push_back({kind, first, end - first, weights_of(first)});
    first = end;
    sum = 0;
  };
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int64_t own = tokens[i].whole - tokens[i].shared;
    if (i > first && (sum + own > max_tokens || weights_of(i) != weights_of(i - 1))) close(i);
    sum += i > first ? own : tokens[i].whole;
  }
  close(tokens.size());
}

/// What the texts of a chunk to continue have in common.
struct AnsweredAlike {
  FreeContext context{};
  size_t weights = 0;
  bool operator==(const AnsweredAlike&) const = default;
};

void cut_evenly(std::vector<EvalChunk>& chunks, ChunkKind kind, size_t size,
                const std::function<AnsweredAlike(size_t)>& how) {
  for (size_t first = 0, i = 1; i <= size; ++i) {
    if (i < size && i - first < kGeneratedPerChunk && how(i) == how(first)) continue;
    chunks.push_back({kind, first, i - first, how(first).weights});
    first = i;
  }
}

}  // namespace

std::vector<EvalChunk> eval_chunks(const EvalQuestionnaire& asked, const EvalTokens& tokens,
                                   int64_t max_tokens) {
  const auto how = [](const FreePrompt& prompt) {
    return AnsweredAlike{prompt.context, prompt.text.weights};
  };
  std::vector<EvalChunk> chunks;
  if (!tokens.references.empty()) {
    cut(chunks, ChunkKind::kReferences, tokens.references, max_tokens,
        [&](size_t i) { return asked.prompts[asked.references[i]].text.weights; });
    cut_evenly(chunks, ChunkKind::kFreeReferences, asked.free_references.size(),
               [&](size_t i) { return how(asked.free_prompts[asked.free_references[i]]); });
  }
  cut(chunks, ChunkKind::kPrompts, tokens.prompts, max_tokens,
      [&](size_t i) { return asked.prompts[i].text.weights; });
  cut_evenly(chunks, ChunkKind::kFree, asked.free_prompts.size(),
             [&](size_t i) { return how(asked.free_prompts[i]); });
  cut_evenly(chunks, ChunkKind::kFluency, asked.fluency_prompts.size(), [&](size_t i) {
    return AnsweredAlike{{}, asked.fluency_prompts[i].weights};
  });
  return chunks;
}

}  // namespace xkde
