#ifndef XKDE_STAGES_RUN_RUN_CONTEXT_H_
#define XKDE_STAGES_RUN_RUN_CONTEXT_H_

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/generate/generator.h"
#include "core/model/decoder.h"
#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "distributed/comm/communicator.h"
#include "distributed/sharding/run_model.h"
#include "stages/recipe/recipe.h"
#include "stages/run/artifacts.h"
#include "stages/run/run_data.h"
#include "stages/weights/run_weights.h"

namespace xkde::recipe {

/// What the stages of one run share. One on each rank; every stage function is called by all ranks.
class RunContext {
 public:
  /// Opens the model's files, without reading weights. `recipe` and `comm` outlive the context.
  RunContext(const Recipe& recipe, dist::Communicator& comm, at::Device device);

  const Recipe& recipe() const noexcept { return recipe_; }
  dist::Communicator& comm() const noexcept { return comm_; }
  bool is_root() const noexcept { return comm_.rank() == 0; }
  const PretrainedModel& pretrained() const noexcept { return pretrained_; }
  const Tokenizer& tokenizer() const noexcept { return pretrained_.tokenizer; }
  const ChatTemplate& chat_template() const noexcept { return *chat_template_; }
  /// The model's in another format, by a key of ChatTemplate::select. Each is made once.
  const ChatTemplate& chat_template(const std::string& key);
  const Decoder& decoder() const noexcept { return decoder_; }
  at::ScalarType compute_dtype() const noexcept { return options_.compute_dtype; }
  at::Device device() const noexcept { return options_.device; }

  /// How the model is held and trained; equal on all ranks.
  const dist::EngineOptions& options() const noexcept { return options_; }
  /// Replaces the options that the recipe gives. To be called before model(), on all ranks alike.
  void set_options(const dist::EngineOptions& options);
  /// What the stages left that are finished. Equal on all ranks.
  const Artifacts& artifacts() const noexcept { return artifacts_; }
  /// What this rank has read and built so far.
  RunData& data() noexcept { return data_; }
  Artifacts& artifacts() noexcept { return artifacts_; }
  /// The model with the weights that the stages so far lead to; reads them at the first call.
  /// Collective. Throws DataError where the pretrained files, and NumericError where a checkpoint
  /// hold a weight that is not finite.
  dist::RunModel& model();
  /// The same to be trained, as RunWeights::model_to_train() says.
  dist::RunModel& model_to_train(const std::optional<LoraOptions>& lora, const std::string& place);
  /// Runs `body` with the weights that the run began with in model(), and puts back those that were
  /// there. Collective.
  void with_pretrained_weights(const std::function<void()>& body);
  /// Where the weights come from, and where they go. Needs model() for what it gives.
  RunWeights& weights() noexcept { return weights_; }
  /// Answers with model(), which must be resident. The context outlives it. Not collective.
  Generator generator(const GenerateOptions& options);
  /// The ids that end an answer: of the model, its chat template and its tokenizer.
  std::vector<int64_t> stop_ids() const;
  /// used_bytes() right before the model was built; 0 before that.
  int64_t baseline_bytes() const noexcept { return baseline_bytes_; }

 private:
  const Recipe& recipe_;
  dist::Communicator& comm_;
  PretrainedModel pretrained_;
  std::map<std::string, ChatTemplate> chat_templates_;  ///< by their keys
  const ChatTemplate* chat_template_;
  Decoder decoder_;
  dist::EngineOptions options_;
  std::unique_ptr<WorkRecorder> recorder_;  ///< of decoding steps on a GPU
  Artifacts artifacts_;
  RunData data_;
  int64_t baseline_bytes_ = 0;
  RunWeights weights_;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_RUN_CONTEXT_H_
