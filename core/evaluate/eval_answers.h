#ifndef XKDE_CORE_EVALUATE_EVAL_ANSWERS_H_
#define XKDE_CORE_EVALUATE_EVAL_ANSWERS_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/evaluate/eval_chunks.h"
#include "core/io/json_file.h"

namespace xkde {

/// What the model predicts for a prompt's target, position by position. Both lists are empty where
/// the prompt is longer than the model's context.
struct TargetAnswer {
  std::vector<int64_t> predicted_ids;
  std::vector<int64_t> target_ids;
};

/// Answers to a questionnaire, by the indices of its lists.
struct EvalAnswers {
  std::vector<TargetAnswer> prompts;
  std::vector<TargetAnswer> references;  ///< of the model before training; empty where not asked
  std::vector<FreeAnswer> free;
  std::vector<FreeAnswer> free_references;  ///< of the model before training; as `references`
  std::vector<std::string> fluency;         ///< prompt and continuation (protocol 6.5)
};

/// Lines of answers.jsonl.
Json answer_json(const TargetAnswer& answer);
Json answer_json(const FreeAnswer& answer);
Json answer_json(const std::string& text);

/// Reads the lines of answers.jsonl, which stand in the order of the chunks. Throws InternalError
/// when there are too few, DataError when one is not JSON.
EvalAnswers read_answers(const std::filesystem::path& file, std::span<const EvalChunk> chunks);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_EVAL_ANSWERS_H_
