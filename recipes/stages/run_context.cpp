#include "recipes/stages/run_context.h"

#include <utility>

#include <ATen/ATen.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "distributed/checkpoint.h"

namespace xkde::recipe {
namespace {

int64_t physical_memory_bytes() {
  return static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGE_SIZE);
}

int64_t num_parameters(const ModelConfig& config) {
  int64_t total = 0;
  for (const TensorShape& tensor : expected_tensors(config)) {
    int64_t numel = 1;
    for (const int64_t extent : tensor.shape) numel *= extent;
    total += numel;
  }
  return total;
}

}  // namespace

RunContext::RunContext(const Recipe& recipe, dist::Communicator& comm, at::Device device)
    : recipe_(recipe),
      comm_(comm),
      pretrained_(open_pretrained(recipe.model.model_name_or_path)),
      chat_template_(ChatTemplate::select(recipe.model.chat_template, pretrained_.chat_template)),
      decoder_(pretrained_.config),
      options_(choose_options(device)) {}

dist::ShardMode RunContext::choose_shard(at::ScalarType compute_dtype) const {
  const std::string& shard = recipe_.parallel.shard;
  if (shard == "full") return dist::ShardMode::kFull;
  if (shard == "grads") return dist::ShardMode::kGrads;
  if (shard == "optimizer") return dist::ShardMode::kOptimizer;
  if (shard == "none") return dist::ShardMode::kNone;
  const auto bytes = static_cast<int64_t>(at::elementSize(compute_dtype));
  const int64_t gathered = num_parameters(pretrained_.config) * bytes;
  // Gathered weights that stay may take a quarter of a rank's share of the memory.
  const bool stays = gathered <= physical_memory_bytes() / comm_.size() / 4;
  return stays || comm_.size() == 1 ? dist::ShardMode::kGrads : dist::ShardMode::kFull;
}

dist::EngineOptions RunContext::choose_options(at::Device device) const {
  dist::EngineOptions options;
  options.compute_dtype = recipe_.model.dtype == "float32" ? at::kFloat : at::kBFloat16;
  options.device = device;
  const ParallelSection& parallel = recipe_.parallel;
  XKDE_CHECK(comm_.size() % parallel.replicate == 0, ConfigError,
             recipe_.origin.place_of("parallel.replicate"),
             ": parallel.replicate: expected a divisor of the ", comm_.size(), " ranks, found ",
             parallel.replicate);
  options.replicate = static_cast<int>(parallel.replicate);
  options.shard = choose_shard(options.compute_dtype);
  const bool block = parallel.recompute == "block" ||
                     (parallel.recompute == "auto" && options.shard == dist::ShardMode::kFull);
  options.recompute = block ? dist::Recompute::kBlock : dist::Recompute::kNone;
  options.prefetch = parallel.prefetch >= 0 ? parallel.prefetch : (device.is_cuda() ? 1 : 0);
  options.grad_reduce_dtype = parallel.grad_reduce_dtype == "float32" ? at::kFloat : at::kBFloat16;
  options.offload_optimizer = parallel.offload_optimizer;
  return options;
}

dist::ShardedModel& RunContext::model() {
  if (!model_) {
    model_ = std::make_unique<dist::ShardedModel>(decoder_, comm_, options_);
    load_weights();
  }
  return *model_;
}

void RunContext::use_checkpoint(std::filesystem::path folder) {
  checkpoint_ = std::move(folder);
  if (model_) load_weights();
}

void RunContext::load_weights() {
  if (!checkpoint_) {
    model_->load([this](const std::string& name, std::span<float> out) {
      pretrained_.weights->read_f32(name, out);
    });
    return;
  }
  at::Tensor host = at::empty_like(model_->master(), at::kCPU);
  const std::span<float> masters(host.mutable_data_ptr<float>(), static_cast<size_t>(host.numel()));
  dist::load_checkpoint(*checkpoint_, model_->layout(),
                        {.master = masters, .exp_avg = {}, .exp_avg_sq = {}}, comm_);
  model_->master().copy_(host);
  model_->masters_changed();
}

}  // namespace xkde::recipe
