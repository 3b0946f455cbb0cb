#include "core/evaluate/eval_chunks.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace xkde {
namespace {

/// Bytes of text for one token of a batch, about: what a chunk is measured by before it is
/// tokenised.
constexpr size_t kBytesPerToken = 3;
/// Answers generated in one chunk.
constexpr size_t kGeneratedPerChunk = 64;

size_t common_prefix(std::string_view left, std::string_view right) {
  const size_t length = std::min(left.size(), right.size());
  return static_cast<size_t>(
      std::mismatch(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(length), right.begin())
          .first -
      left.begin());
}

/// Cuts `size` prompts, sorted, where their bytes exceed `budget`.
void cut(std::vector<EvalChunk>& chunks, ChunkKind kind, size_t size, size_t budget,
         const std::function<const EvalPrompt&(size_t)>& prompt_at) {
  size_t first = 0, bytes = 0;
  const auto close = [&](size_t end) {
    if (first < end) chunks.push_back({kind, first, end - first, prompt_at(first).text.weights});
    first = end;
    bytes = 0;
  };
  for (size_t i = 0; i < size; ++i) {
    const EvalPrompt& prompt = prompt_at(i);
    const size_t whole = prompt.text.user.size() + prompt.target.size();
    size_t own = whole;
    if (i > first) {
      const EvalText& before = prompt_at(i - 1).text;
      own -= common_prefix(prompt.text.user, before.user);
      if (bytes + own > budget || prompt.text.weights != before.weights) {
        close(i);
        own = whole;
      }
    }
    bytes += own;
  }
  close(size);
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

std::vector<EvalChunk> eval_chunks(const EvalQuestionnaire& asked, bool asks_references,
                                   int64_t max_tokens) {
  const size_t budget = static_cast<size_t>(max_tokens) * kBytesPerToken;
  const auto how = [](const FreePrompt& prompt) {
    return AnsweredAlike{prompt.context, prompt.text.weights};
  };
  std::vector<EvalChunk> chunks;
  if (asks_references) {
    cut(chunks, ChunkKind::kReferences, asked.references.size(), budget,
        [&](size_t i) -> const EvalPrompt& { return asked.prompts[asked.references[i]]; });
    cut_evenly(chunks, ChunkKind::kFreeReferences, asked.free_references.size(),
               [&](size_t i) { return how(asked.free_prompts[asked.free_references[i]]); });
  }
  cut(chunks, ChunkKind::kPrompts, asked.prompts.size(), budget,
      [&](size_t i) -> const EvalPrompt& { return asked.prompts[i]; });
  cut_evenly(chunks, ChunkKind::kFree, asked.free_prompts.size(),
             [&](size_t i) { return how(asked.free_prompts[i]); });
  cut_evenly(chunks, ChunkKind::kFluency, asked.fluency_prompts.size(), [&](size_t i) {
    return AnsweredAlike{{}, asked.fluency_prompts[i].weights};
  });
  return chunks;
}

}  // namespace xkde
