#include "stages/run/run_context.h"

#include <utility>

#include "core/base/error.h"
#include "core/generate/cuda_recorder.h"
#include "core/nn/device_memory.h"
#include "stages/run/run_place.h"

namespace xkde::recipe {

RunContext::RunContext(const Recipe& recipe, dist::Communicator& comm, at::Device device)
    : recipe_(recipe),
      comm_(comm),
      pretrained_(open_pretrained(recipe.model.model_name_or_path)),
      chat_template_(&chat_template(recipe.model.chat_template)),
      decoder_(pretrained_.config),
      options_(engine_options(recipe, comm.size(), device)),
      recorder_(make_work_recorder(device)),
      weights_(recipe, comm, pretrained_, decoder_) {}

const ChatTemplate& RunContext::chat_template(const std::string& key) {
  const auto found = chat_templates_.find(key);
  if (found != chat_templates_.end()) return found->second;
  const ModelTemplate own = own_template(pretrained_, recipe_.model.chat_date);
  return chat_templates_.emplace(key, ChatTemplate::select(key, own)).first->second;
}

void RunContext::set_options(const dist::EngineOptions& options) {
  XKDE_CHECK(!weights_.is_built(), InternalError, "run: the model is built, its options stay");
  options_ = options;
}

dist::RunModel& RunContext::model() {
  if (!weights_.is_built()) baseline_bytes_ = used_bytes(options_.device);
  return weights_.model(options_);
}

dist::RunModel& RunContext::model_to_train(const std::optional<LoraOptions>& lora,
                                           const std::string& place) {
  if (!weights_.is_built()) baseline_bytes_ = used_bytes(options_.device);
  return weights_.model_to_train(lora, place, options_);
}

void RunContext::with_pretrained_weights(const std::function<void()>& body) {
  weights_.with_first_weights(options_, body);
}

Generator RunContext::generator(const GenerateOptions& options) {
  dist::RunModel& resident = model();
  return {decoder_, [&resident](size_t unit) { return resident.resident_parameters(unit); },
          tokenizer(), options, recorder_.get()};
}

std::vector<int64_t> RunContext::stop_ids() const { return pretrained_.stop_ids(*chat_template_); }

}  // namespace xkde::recipe
