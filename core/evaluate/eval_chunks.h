#ifndef XKDE_CORE_EVALUATE_EVAL_CHUNKS_H_
#define XKDE_CORE_EVALUATE_EVAL_CHUNKS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/named.h"
#include "core/evaluate/eval_questionnaire.h"
#include "core/evaluate/scored_prompts.h"

namespace xkde {

/// The list of a questionnaire that a chunk is from. Both kinds of references are answered by the
/// model before training, prompts, free prompts and fluency prompts by the model as it is.
enum class ChunkKind { kReferences, kFreeReferences, kPrompts, kFree, kFluency };
inline constexpr Named<ChunkKind> kChunkKindNames[] = {
    {"references", ChunkKind::kReferences},
    {"free_references", ChunkKind::kFreeReferences},
    {"prompts", ChunkKind::kPrompts},
    {"free_running", ChunkKind::kFree},
    {"fluency", ChunkKind::kFluency}};

/// Neighbours in one list of a questionnaire, all answered by the same weights and, free-running,
/// in one context: what a rank takes at once.
struct EvalChunk {
  ChunkKind kind{};
  size_t first = 0;
  size_t count = 0;
  size_t weights = 0;
};

/// What the scored texts of a questionnaire come to. Both lists have one entry for each of theirs.
struct EvalTokens {
  std::vector<PromptTokens> prompts;
  std::vector<PromptTokens> references;  ///< empty: these are not asked, nor those to continue
};

/// The whole questionnaire cut into chunks, references first. Scored texts are cut where they,
/// common beginnings counted once, would come to more than `max_tokens` tokens, so that a chunk of
/// more than one text is one batch; texts to continue are cut after a fixed number.
std::vector<EvalChunk> eval_chunks(const EvalQuestionnaire& asked, const EvalTokens& tokens,
                                   int64_t max_tokens);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_EVAL_CHUNKS_H_
