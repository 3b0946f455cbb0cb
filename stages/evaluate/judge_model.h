#ifndef XKDE_STAGES_EVALUATE_JUDGE_MODEL_H_
#define XKDE_STAGES_EVALUATE_JUDGE_MODEL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/evaluate/judge/judge_prompt.h"
#include "core/model/decoder.h"
#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "distributed/comm/communicator.h"
#include "distributed/sharding/engine_options.h"
#include "distributed/sharding/run_model.h"

namespace xkde::recipe {

/// The model that judges answers. Every rank holds all of its weights, once, in its dtype, so that
/// each judges on its own.
class JudgeModel {
 public:
  /// What came of some questions.
  struct Judged {
    std::vector<std::optional<JudgeVerdict>> verdicts;  ///< nothing: longer than its context
    int64_t tokens = 0;                                 ///< of the prompts, laid out one by one
    int64_t computed = 0;                               ///< rows that really went through the model
  };

  /// Opens the model's files, without reading weights. `engine` says on what device. Both
  /// references outlive the object. Throws as check_judge().
  JudgeModel(const JudgeOptions& options, dist::Communicator& comm,
             const dist::EngineOptions& engine);

  const PretrainedModel& pretrained() const noexcept { return pretrained_; }
  /// Reads the weights. Collective.
  void load();
  /// Needs load(). Throws NumericError where a log-probability is not finite. Not collective.
  Judged judge(std::span<const JudgeQuestion> questions);

 private:
  const JudgeOptions& options_;
  dist::Communicator& comm_;
  dist::EngineOptions engine_;
  PretrainedModel pretrained_;
  ChatTemplate chat_template_;
  JudgeEncoder encoder_;
  Decoder decoder_;
  std::unique_ptr<dist::RunModel> model_;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_JUDGE_MODEL_H_
