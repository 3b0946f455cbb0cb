#include "stages/run/run_context.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <ATen/ATen.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/generate/cuda_recorder.h"
#include "core/nn/device_memory.h"
#include "distributed/checkpoint/checkpoint.h"
#include "stages/pipeline/run_plan.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kRefused = "refused: ";

/// How many ranks run on this rank's host. Collective.
int count_ranks_here(dist::Communicator& comm) {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  const std::string own = name.data();
  const std::vector<std::string> names = comm.all_gather_bytes(own);
  return static_cast<int>(std::count(names.begin(), names.end(), own));
}

}  // namespace

RunContext::RunContext(const Recipe& recipe, dist::Communicator& comm, at::Device device)
    : recipe_(recipe),
      comm_(comm),
      pretrained_(open_pretrained(recipe.model.model_name_or_path)),
      chat_template_(ChatTemplate::select(recipe.model.chat_template, pretrained_.chat_template)),
      decoder_(pretrained_.config),
      options_(engine_options(recipe, comm.size(), device)),
      recorder_(make_work_recorder(device)) {}

/// "full block" or, where the recipe does not fit, what is wrong with it.
std::string RunContext::decide() const {
  const RunPlace place =
      this_place(comm_.size(), ranks_here_, options_.device, options_.compute_dtype);
  const std::optional<RunPlan> run =
      plan_run(recipe_, pretrained_, chat_template_, decoder_, place);
  if (!run)
    return concat(options_.policy().name, ' ', name_of(dist::kRecomputeNames, options_.recompute));
  const dist::EngineOptions& chosen = run->plan.options;
  log::info(concat("plan: shard ", chosen.policy().name, ", recompute ",
                   name_of(dist::kRecomputeNames, chosen.recompute), ", ",
                   dist::in_gigabytes(run->plan.memory.peak()), " a rank of ",
                   dist::in_gigabytes(place.bytes), " (", run->plan.reason, ")"));
  return concat(chosen.policy().name, ' ', name_of(dist::kRecomputeNames, chosen.recompute));
}

void RunContext::plan() {
  if (std::exchange(planned_, true)) return;
  ranks_here_ = count_ranks_here(comm_);
  std::string decision;
  if (is_root()) {
    try {
      decision = decide();
    } catch (const ConfigError& error) {
      decision = std::string(kRefused) + error.what();
    }
  }
  decision = comm_.broadcast_bytes(decision, 0);
  XKDE_CHECK(!decision.starts_with(kRefused), ConfigError, decision.substr(kRefused.size()));
  const size_t space = decision.find(' ');
  options_.shard = *value_of(dist::kShardPolicies, decision.substr(0, space));
  options_.recompute = *value_of(dist::kRecomputeNames, decision.substr(space + 1));
}

dist::ShardedModel& RunContext::model() {
  plan();
  if (!model_) {
    baseline_bytes = used_bytes(options_.device);
    model_ = std::make_unique<dist::ShardedModel>(decoder_, comm_, options_);
    load_weights();
  }
  return *model_;
}

void RunContext::use_checkpoint(std::filesystem::path folder) {
  checkpoint_ = std::move(folder);
  if (model_) load_weights();
}

void RunContext::load_pretrained() {
  model_->load([this](const std::string& name, std::span<float> out) {
    pretrained_.weights->read_f32(name, out);
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
  if (!checkpoint_) {
    load_pretrained();
    return;
  }
  at::Tensor host = at::empty_like(model_->master(), at::kCPU);
  const std::span<float> masters(host.mutable_data_ptr<float>(), static_cast<size_t>(host.numel()));
  dist::load_checkpoint(*checkpoint_, model_->layout(), {{dist::kMasterState, masters}}, comm_);
  model_->master().copy_(host);
  model_->masters_changed();
}

}  // namespace xkde::recipe
