#ifndef XKDE_CORE_EVALUATE_JUDGE_JUDGE_OPTIONS_H_
#define XKDE_CORE_EVALUATE_JUDGE_JUDGE_OPTIONS_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/base/dtype.h"

namespace xkde {

/// `evaluate.judge`: a model that says whether free answers are right (protocol 6.10). All defaults
/// are our choice.
struct JudgeOptions {
  std::filesystem::path model_name_or_path;  ///< a Hugging Face folder or a .gguf file
  Dtype dtype = Dtype::kBFloat16;            ///< of its weights and its computation
  std::string chat_template = "auto";  ///< as `model.chat_template`; auto: plain where it has none
  std::string chat_date;               ///< as `model.chat_date`
  std::filesystem::path cache;         ///< folder of verdicts; empty: "judge_verdicts" of the run's
  std::filesystem::path labelled;  ///< rows that say what is right (labelled_rows.h); empty: none
  int64_t max_tokens_per_batch = 2048;
};

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_JUDGE_JUDGE_OPTIONS_H_
