#include "stages/run/run_context.h"

#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/generate/cuda_recorder.h"
#include "core/nn/device_memory.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/comm/agreement.h"
#include "distributed/comm/typed_gather.h"
#include "stages/run/run_place.h"

namespace xkde::recipe {

RunContext::RunContext(const Recipe& recipe, dist::Communicator& comm, at::Device device)
    : recipe_(recipe),
      comm_(comm),
      pretrained_(open_pretrained(recipe.model.model_name_or_path)),
      chat_template_(ChatTemplate::select(recipe.model.chat_template, pretrained_.chat_template)),
      decoder_(pretrained_.config),
      options_(engine_options(recipe, comm.size(), device)),
      recorder_(make_work_recorder(device)) {}

void RunContext::set_options(const dist::EngineOptions& options) {
  XKDE_CHECK(model_ == nullptr, InternalError, "run: the model is built, its options stay");
  options_ = options;
}

dist::ShardedModel& RunContext::model() {
  if (!model_) {
    baseline_bytes_ = used_bytes(options_.device);
    model_ = std::make_unique<dist::ShardedModel>(decoder_, comm_, options_);
    load_weights();
  }
  return *model_;
}

void RunContext::use_checkpoint(std::function<std::filesystem::path()> find) {
  find_checkpoint_ = std::move(find);
  if (model_) load_weights();
}

void RunContext::load_pretrained() {
  dist::agree_on(comm_, [this] {
    model_->load([this](const std::string& name, std::span<float> out) {
      check_stop();
      read_finite_f32(*pretrained_.weights, pretrained_.path.string(), name, out);
    });
  });
}

void RunContext::with_pretrained_weights(const std::function<void()>& body) {
  const at::Tensor kept = model().master().to(at::kCPU, /*non_blocking=*/false, /*copy=*/true);
  load_pretrained();
  body();
  model_->master().copy_(kept);
  model_->masters_changed();
}

Generator RunContext::generator(const GenerateOptions& options) {
  dist::ShardedModel& resident = model();
  return {decoder_, [&resident](size_t unit) { return resident.resident_parameters(unit); },
          tokenizer(), options, recorder_.get()};
}

std::vector<int64_t> RunContext::stop_ids() const {
  std::vector<int64_t> ids = decoder_.config().eos_token_id;
  const std::string& end = chat_template_.end_of_turn();
  if (!end.empty()) {
    if (const auto id = tokenizer().token_to_id(end)) ids.push_back(*id);
  }
  if (const auto eos = tokenizer().eos_id()) ids.push_back(*eos);
  return ids;
}

void RunContext::load_weights() {
  if (!find_checkpoint_) {
    load_pretrained();
    return;
  }
  const std::filesystem::path checkpoint =
      dist::broadcast(comm_, is_root() ? find_checkpoint_().string() : std::string());
  at::Tensor host = at::empty_like(model_->master(), at::kCPU);
  const std::span<float> masters(host.mutable_data_ptr<float>(), static_cast<size_t>(host.numel()));
  dist::load_checkpoint(checkpoint, model_->layout(), {{dist::kMasterState, masters}}, comm_);
  model_->master().copy_(host);
  model_->masters_changed();
}

}  // namespace xkde::recipe
