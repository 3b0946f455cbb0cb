#include "stages/train/checkpoints.h"

#include <cstring>
#include <span>
#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/checkpoint/retention.h"

namespace xkde::recipe {
namespace {

// Of a processor that a rank computes on, what the writer of a checkpoint takes beside the steps.
constexpr double kWriterShare = 0.06;

std::span<float> span_of(at::Tensor& host) {
  return {host.mutable_data_ptr<float>(), static_cast<size_t>(host.numel())};
}

void copy_into(std::span<float> out, const at::Tensor& values) {
  if (values.is_cpu()) {  // past the caches, unlike LibTorch's copy
    std::memcpy(out.data(), values.const_data_ptr<float>(), out.size_bytes());
    return;
  }
  at::from_blob(out.data(), {static_cast<int64_t>(out.size())},
                at::TensorOptions().dtype(at::kFloat))
      .copy_(values);
}

/// Masters and moments in host memory: themselves, where they are there anyway.
struct HostState {
  at::Tensor master, exp_avg, exp_avg_sq;
  HostState(at::Tensor& masters, AdamW& optimizer)
      : master(masters.cpu()),
        exp_avg(optimizer.exp_avg().cpu()),
        exp_avg_sq(optimizer.exp_avg_sq().cpu()) {}
  dist::StateView view() { return {span_of(master), span_of(exp_avg), span_of(exp_avg_sq)}; }
};

}  // namespace

TrainCheckpoints::TrainCheckpoints(const TrainKeys& keys, std::string stage, bool keep_best,
                                   std::filesystem::path root, RunContext& context,
                                   AdamW& optimizer)
    : keys_(keys),
      stage_(std::move(stage)),
      keep_best_(keep_best),
      root_(std::move(root)),
      context_(context),
      optimizer_(optimizer) {
  // A single save at the end has no steps to run beside, and no need of a second state.
  if (!keys.async_save || keys.save_steps == 0) return;
  // CPU ranks leave no processor idle that a writer could use.
  const double share = context.device().is_cpu() ? kWriterShare : 1.0;
  async_ = std::make_unique<dist::AsyncCheckpointer>(root_, context.model().layout(), true,
                                                     context.comm(), share);
}

int64_t TrainCheckpoints::resume() {
  if (keys_.resume_from_checkpoint == "never") return 0;
  std::string newest;
  if (context_.is_root()) {
    const auto found = dist::newest_verified_checkpoint(root_);
    newest = found ? found->string() : "";
  }
  newest = context_.comm().broadcast_bytes(newest, 0);
  if (newest.empty()) return 0;
  dist::ShardedModel& model = context_.model();
  HostState state(model.master(), optimizer_);
  const Json progress =
      dist::load_checkpoint(newest, model.layout(), state.view(), context_.comm());
  model.master().copy_(state.master);
  optimizer_.exp_avg().copy_(state.exp_avg);
  optimizer_.exp_avg_sq().copy_(state.exp_avg_sq);
  optimizer_.set_steps_done(progress.at("optimizer_steps").get<int64_t>());
  model.masters_changed();
  log::info(stage_ + ": goes on from " + newest);
  return progress.at("step").get<int64_t>();
}

void TrainCheckpoints::add_loss(double loss) {
  loss_sum_ += loss;
  ++losses_;
}

void TrainCheckpoints::set_score(double score) { score_ = score; }

dist::CheckpointInfo TrainCheckpoints::info(int64_t step, int64_t epoch, int64_t position) {
  dist::CheckpointInfo info{.step = step,
                            .progress = {{"step", step},
                                         {"epoch", epoch},
                                         {"position", position},
                                         {"optimizer_steps", optimizer_.steps_done()},
                                         {"seed", context_.recipe().seed},
                                         {"recipe", resolved(context_.recipe())}},
                            .keep_last = keys_.save_total_limit};
  if (keep_best_ && losses_ > 0) info.score = loss_sum_ / static_cast<double>(losses_);
  if (keep_best_ && score_) info.score = score_;
  score_.reset();
  loss_sum_ = 0.0;
  losses_ = 0;
  return info;
}

void TrainCheckpoints::save(int64_t step, int64_t epoch, int64_t position) {
  dist::ShardedModel& model = context_.model();
  if (!async_) {
    HostState state(model.master(), optimizer_);
    dist::save_checkpoint(root_, model.layout(), state.view(), info(step, epoch, position),
                          context_.comm());
    return;
  }
  const auto copy = [&model, &optimizer = optimizer_](const dist::StateView& out) {
    copy_into(out.master, model.master());
    copy_into(out.exp_avg, optimizer.exp_avg());
    copy_into(out.exp_avg_sq, optimizer.exp_avg_sq());
  };
  async_->save(copy, info(step, epoch, position));
}

void TrainCheckpoints::load_best() {
  std::string best;
  if (context_.is_root()) best = dist::named_by(root_, dist::kBestFile);
  best = context_.comm().broadcast_bytes(best, 0);
  XKDE_CHECK(!best.empty(), CheckpointError, root_.string(),
             ": expected BEST to name a checkpoint, found none");
  context_.use_checkpoint(root_ / best);
  log::info(stage_ + ": ends with " + best + ", which has the lowest dev loss");
}

void TrainCheckpoints::wait_for_copy() {
  if (async_) async_->wait_for_copy();
}

bool TrainCheckpoints::is_writing() const { return async_ && async_->is_writing(); }

void TrainCheckpoints::poll(bool anyone_writing) {
  if (async_) async_->poll(anyone_writing);
}

void TrainCheckpoints::finish() {
  if (async_) async_->finish();
}

}  // namespace xkde::recipe
