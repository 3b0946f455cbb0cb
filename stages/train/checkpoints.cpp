#include "stages/train/checkpoints.h"

#include <cstring>
#include <limits>
#include <span>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/checkpoint/manifest.h"
#include "distributed/checkpoint/retention.h"
#include "distributed/comm/agreement.h"
#include "distributed/comm/typed_gather.h"

namespace xkde::recipe {
namespace {

// Of a processor that a rank computes on, what the writer of a checkpoint takes beside the steps.
constexpr double kWriterShare = 0.06;

constexpr const char* kDevLosses = "dev_losses";  // in state.json
constexpr const char* kUnevaluated = "unevaluated";

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

void copy_into(const dist::NamedState& out, const at::Tensor& values) {
  void* const to = out.codes.empty() ? static_cast<void*>(out.values.data()) : out.codes.data();
  if (values.is_cpu()) {  // past the caches, unlike LibTorch's copy
    std::memcpy(to, values.const_data_ptr(), values.nbytes());
    return;
  }
  at::from_blob(to, values.sizes(), at::TensorOptions().dtype(values.scalar_type())).copy_(values);
}

/// The tensors in host memory: themselves, where they are there anyway.
NamedTensors on_host(const NamedTensors& state) {
  NamedTensors host;
  for (const auto& [name, tensor] : state) host.emplace_back(name, tensor.cpu());
  return host;
}

dist::StateView view_of(const NamedTensors& host) {
  dist::StateView view;
  for (const auto& [name, tensor] : host) {
    const auto numel = static_cast<size_t>(tensor.numel());
    if (tensor.scalar_type() == at::kByte) {
      view.push_back({name, {}, {tensor.mutable_data_ptr<uint8_t>(), numel}});
    } else {
      view.push_back({name, {tensor.mutable_data_ptr<float>(), numel}});
    }
  }
  return view;
}

}  // namespace

TrainCheckpoints::TrainCheckpoints(TrainCheckpointOptions options, dist::TrainableModel& model,
                                   Optimizer& optimizer, dist::Communicator& comm)
    : options_(std::move(options)), model_(model), optimizer_(optimizer), comm_(comm) {
  if (!options_.beside_steps) return;
  // CPU ranks leave no processor idle that a writer could use.
  const double share = model.gradient().is_cpu() ? kWriterShare : 1.0;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state()) names.push_back(name);
  async_ =
      std::make_unique<dist::AsyncCheckpointer>(options_.root, model.layout(), names, comm, share);
}

NamedTensors TrainCheckpoints::state() const {
  NamedTensors tensors{{dist::kMasterState, model_.master()}};
  for (auto& named : optimizer_.state()) tensors.push_back(std::move(named));
  return tensors;
}

TrainPoint TrainCheckpoints::resume() {
  if (!options_.resumes) return {};
  int64_t below = std::numeric_limits<int64_t>::max();
  std::string not_finite;
  while (true) {
    const std::string newest = dist::agree(comm_, [&] {
      if (comm_.rank() != 0) return std::string();
      const auto found = dist::newest_verified_checkpoint(options_.root, below);
      return found ? found->string() : "";
    })[0];
    XKDE_CHECK(!newest.empty() || not_finite.empty(), NumericError, not_finite);
    if (newest.empty()) return {};
    try {
      const TrainPoint point = load(newest);
      dist::agree_on(comm_, [&] {
        const std::string name = std::filesystem::path(newest).filename().string();
        if (comm_.rank() == 0)
          dist::finish_broken_save(options_.root, name, options_.keep_last, options_.keeps_best);
      });
      return point;
    } catch (const NumericError& error) {  // on all ranks
      not_finite = error.what();
      if (comm_.rank() == 0) log::warning("checkpoint passed over: " + not_finite);
      below = dist::step_of(std::filesystem::path(newest).filename().string());
    }
  }
}

TrainPoint TrainCheckpoints::load(const std::filesystem::path& folder) {
  NamedTensors tensors = state();
  const NamedTensors host = on_host(tensors);
  const Json progress = dist::load_checkpoint(folder, model_.layout(), view_of(host), comm_);
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].second.copy_(host[i].second);
  optimizer_.set_steps_done(progress.at("optimizer_steps").get<int64_t>());
  model_.masters_changed();
  log::info(options_.stage + ": goes on from " + folder.string());
  TrainPoint point;
  point.step = progress.at("step").get<int64_t>();
  if (const auto losses = progress.find(kDevLosses); losses != progress.end()) {
    point.dev_losses = losses->get<std::vector<double>>();
  }
  point.unevaluated = progress.value(kUnevaluated, Json());
  return point;
}

void TrainCheckpoints::add_loss(double loss) {
  loss_sum_ += loss;
  ++losses_;
}

void TrainCheckpoints::set_score(double score) { score_ = score; }

dist::CheckpointInfo TrainCheckpoints::info(const TrainPoint& point, SaveScore score) {
  dist::CheckpointInfo info{.step = point.step,
                            .progress = {{"step", point.step},
                                         {"epoch", point.epoch},
                                         {"position", point.position},
                                         {"optimizer_steps", optimizer_.steps_done()}},
                            .keep_last = options_.keep_last,
                            .compares_copies = options_.compares_copies};
  info.progress.update(options_.facts);
  if (!options_.metrics.empty()) info.synced_first = {options_.metrics};
  if (point.dev_losses) info.progress[kDevLosses] = *point.dev_losses;
  if (!point.unevaluated.is_null()) info.progress[kUnevaluated] = point.unevaluated;
  if (score == SaveScore::kNone) return info;
  if (options_.keeps_best && losses_ > 0) info.score = loss_sum_ / static_cast<double>(losses_);
  if (options_.keeps_best && score_) info.score = score_;
  score_.reset();
  loss_sum_ = 0.0;
  losses_ = 0;
  return info;
}

void TrainCheckpoints::save(const TrainPoint& point, SaveScore score) {
  if (!async_) {
    const NamedTensors host = on_host(state());
    dist::save_checkpoint(options_.root, model_.layout(), view_of(host), info(point, score), comm_);
    return;
  }
  const auto copy = [tensors = state()](const dist::StateView& out) {
    for (size_t i = 0; i < out.size(); ++i) copy_into(out[i], tensors[i].second);
  };
  async_->save(copy, info(point, score));
}

std::filesystem::path TrainCheckpoints::best() const {
  std::string best;
  if (comm_.rank() == 0) best = dist::named_by(options_.root, dist::kBestFile);
  best = dist::broadcast(comm_, best);
  XKDE_CHECK(!best.empty(), CheckpointError, options_.root.string(),
             ": expected BEST to name a checkpoint, found none");
  return options_.root / best;
}

TrainCheckpoints::Update TrainCheckpoints::begin_update() {
  if (async_) async_->wait_for_copy();
  return Update(model_);
}

bool TrainCheckpoints::is_writing() const { return async_ && async_->is_writing(); }

void TrainCheckpoints::poll(bool anyone_writing) {
  if (async_) async_->poll(anyone_writing);
}

void TrainCheckpoints::finish() {
  if (async_) async_->finish();
}

}  // namespace xkde::recipe
