#include "stages/train/trainer.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stopwatch.h"
#include "core/io/events/event_file.h"
#include "core/nn/device_memory.h"
#include "core/optim/adamw.h"
#include "core/optim/lr_schedule.h"
#include "core/optim/optimizer.h"
#include "core/trace/trace_spans.h"
#include "distributed/comm/typed_gather.h"
#include "distributed/sharding/copy_check.h"
#include "stages/follow/step_profile.h"
#include "stages/recipe/run_record.h"
#include "stages/run/json_lines.h"
#include "stages/run/progress.h"
#include "stages/run/stage_folder.h"
#include "stages/train/checkpoints.h"
#include "stages/train/dev_history.h"
#include "stages/train/step_tally.h"

namespace xkde::recipe {
namespace {

struct StepReport {
  int64_t step = 0;  ///< from 1
  double epoch = 0.0;
  double learning_rate = 0.0;
  int64_t samples = 0;
  int64_t tokens = 0;  ///< of the samples laid out one by one, all ranks
  double seconds = 0.0;
  StepTally all;  ///< of all ranks
};

LrSchedule schedule_of(const TrainKeys& keys, int64_t total_steps) {
  return {.kind = keys.lr_scheduler_type,
          .peak = keys.learning_rate,
          .warmup_steps = keys.warmup_steps < 1.0
                              ? warmup_from_ratio(keys.warmup_steps, total_steps)
                              : static_cast<int64_t>(keys.warmup_steps),
          .total_steps = total_steps};
}

constexpr const char* kTraceFile = "trace.json";

/// The figures of a step by the names that transformers' Trainer gives them.
std::vector<EventScalar> scalars_of(const Json& line) {
  constexpr std::string_view kDev = "eval_";
  std::vector<EventScalar> scalars;
  for (const auto& [key, value] : line.items()) {
    if (key == "step" || key == "total_steps" || !value.is_number()) continue;
    const bool is_dev = key.starts_with(kDev);
    scalars.push_back(
        {is_dev ? "eval/" + key.substr(kDev.size()) : "train/" + key, value.get<double>()});
  }
  return scalars;
}

/// The weights are right all the same, and a checkpoint keeps the losses of the dev set.
void warn_of_hole(const std::filesystem::path& metrics, int64_t reached, int64_t step) {
  log::warning(concat(metrics.string(), ": expected lines up to the checkpoint's step ", step,
                      ", found them up to ", reached, ": the curve will have a hole"));
}

TrainCheckpointOptions checkpoint_options(const std::string& stage, const TrainKeys& keys,
                                          const TrainHost& host) {
  return {.stage = stage,
          .root = host.folder / "checkpoints",
          .metrics = host.folder / kMetricsFile,
          .resumes = keys.resume_from_checkpoint == ResumeFrom::kNewest,
          // A single save at the end has no steps to run beside, and no need of a second state.
          .beside_steps = keys.async_save && keys.save_steps > 0,
          .keeps_best = host.keeps_best,
          .compares_copies = host.compare_copies > 0,
          .keep_last = keys.save_total_limit,
          .facts = host.facts};
}

/// Waits until a device has done all that this thread asked of it; nothing for a CPU.
std::function<void()> settle_of(at::Device device) {
  if (device.is_cpu()) return nullptr;
  return [device] {
    [[maybe_unused]] const auto waited =
        at::zeros({}, at::TensorOptions().device(device)).item<float>();
  };
}

/// All that copies of the model hold, whose bits are compared as if they were fp32.
std::vector<at::Tensor> state_of(dist::TrainableModel& model, const Optimizer& optimizer) {
  std::vector<at::Tensor> tensors{model.master()};
  for (const auto& [name, tensor] : optimizer.state()) tensors.push_back(tensor.view(at::kFloat));
  return tensors;
}

/// One training run: its state and the loop over steps.
class Trainer {
 public:
  Trainer(TrainTask& task, const TrainKeys& keys, const DevOptions& dev, const TrainHost& host)
      : task_(task),
        keys_(keys),
        dev_(dev),
        host_(host),
        comm_(host.comm),
        model_(host.model),
        device_(model_.gradient().device()),
        total_steps_(keys.total_steps(task.steps_per_epoch())),
        schedule_(schedule_of(keys, total_steps_)),
        optimizer_(
            make_optimizer(keys.optim, model_.layout().state_numel,
                           {keys.adam_beta1, keys.adam_beta2, keys.adam_epsilon, keys.weight_decay},
                           model_.decay_ranges(), model_.master().device())),
        checkpoints_(checkpoint_options(task.name(), keys, host), model_, *optimizer_, comm_),
        copies_(state_of(model_, *optimizer_), host.compare_copies, comm_.size(),
                model_.layout().num_shards),
        profile_(keys.profile_steps, host.folder / kTraceFile, comm_, settle_of(device_)) {}

  std::optional<std::filesystem::path> run() {
    const TrainPoint start = checkpoints_.resume();
    step_ = start.step;
    const std::filesystem::path metrics = host_.folder / kMetricsFile;
    if (is_root()) {
      const int64_t told = step_ - (start.unevaluated.is_null() ? 0 : 1);
      const int64_t reached = keep_lines_up_to(metrics, "step", told).value_or(0);
      if (reached < told) warn_of_hole(metrics, reached, told);
      lines_ = std::make_unique<JsonLinesWriter>(metrics);
      if (host_.writes_events) events_ = std::make_unique<EventFile>(host_.folder, told + 1);
    }
    prepare_dev(start, metrics);
    host_.save_requested();  // what was asked before training began
    reset_peak_bytes(device_);
    Progress progress(task_.name(), total_steps_, step_, host_.logging_steps, is_root());
    watch_.restart();
    if (!start.unevaluated.is_null()) {
      Json line = start.unevaluated;
      StepTally all;
      all.loss = line.at("loss").get<double>();
      tell(line, progress);
      end_step(all);
    }
    prepare_step(step_);
    rounds_ = dist::largest_of_ranks(comm_, std::ssize(next_.packs));
    while (step_ < total_steps_ && !ends_early()) {
      profile_.begin_step(step_ + 1);
      const StepReport report = train_step();
      Json line = to_json(report);
      tell(line, progress);
      end_step(report.all);
      profile_.end_step();
    }
    profile_.finish();
    if (total_steps_ == 0) {
      save(SaveScore::kOfSteps);
      checkpoints_.finish();
    }
    if (!dev_.load_best || !has_dev_) return std::nullopt;
    return checkpoints_.best();
  }

 private:
  bool is_root() const { return comm_.rank() == 0; }

  void prepare_dev(const TrainPoint& start, const std::filesystem::path& metrics) {
    if (dev_.eval_steps == 0) return;
    dev_packs_ = task_.dev_packs();
    dev_rounds_ = dist::largest_of_ranks(comm_, std::ssize(dev_packs_));
    has_dev_ = dev_rounds_ > 0;
    std::vector<double> losses;
    if (start.dev_losses) {
      losses = *start.dev_losses;
    } else {
      if (is_root()) losses = dev_losses_in(metrics);
      losses = dist::broadcast(comm_, losses);
    }
    history_ = DevHistory(std::move(losses));
  }

  bool ends_early() const { return dev_.patience > 0 && history_.stale() >= dev_.patience; }

  /// Evaluates the dev set where that is due after a step, and writes the step's line.
  void tell(Json& line, Progress& progress) {
    if (has_dev_ && (step_ % dev_.eval_steps == 0 || step_ == total_steps_)) evaluate(line);
    const TraceSpan span(TraceLane::kSave, "metrics");
    if (lines_) lines_->append(line);
    if (events_) events_->add_scalars(step_, scalars_of(line));
    progress.update(step_, summary(line));
  }

  /// Saves the state before the evaluation, whose line the next start completes, where a rank was
  /// asked to stop.
  void heed_stop_while_evaluating(const Json& line, int64_t round) {
    if (!dist::largest_of_ranks(comm_, host_.stop_requested())) return;
    TrainPoint point = here();
    point.unevaluated = line;
    checkpoints_.save(point, SaveScore::kNone);
    checkpoints_.finish();
    throw StopRequested(concat("stopped on request after step ", step_, " of ", total_steps_,
                               ", at batch ", round, " of ", dev_rounds_,
                               " of the dev set, checkpoint saved in ",
                               (host_.folder / "checkpoints").string()));
  }

  void evaluate(Json& line) {
    const TraceSpan span(TraceLane::kCompute, "dev set");
    comm_.set_step(fmt::format("{} step {}, dev set", task_.name(), step_));
    at::Tensor loss = at::zeros({}, at::TensorOptions(at::kDouble).device(device_));
    for (int64_t i = 0; i < dev_rounds_; ++i) {
      heed_stop_while_evaluating(line, i);
      const bool has_pack = i < std::ssize(dev_packs_);
      const TrainPack* pack = has_pack ? &dev_packs_[static_cast<size_t>(i)] : nullptr;
      const at::Tensor log_probs = model_.log_probs(has_pack ? &pack->batch : nullptr);
      if (has_pack) loss += pack->loss(log_probs).loss;
    }
    StepTally own;
    own.loss = loss.item<double>();
    own.set_sums(task_.take_sums());
    const StepTally all = joined(dist::gather(comm_, own));
    XKDE_CHECK(std::isfinite(all.loss), NumericError, "step ", step_,
               ": expected a finite loss of the dev set, found ", all.loss);
    Json figures;
    task_.describe(all.task_sums(), figures);
    line["eval_loss"] = all.loss;
    for (const auto& [key, figure] : figures.items()) line["eval_" + key] = figure;
    history_.add(all.loss);
    checkpoints_.set_score(all.loss);
  }

  /// This rank's packs of a step.
  void prepare_step(int64_t step) {
    const TraceSpan span(TraceLane::kData);
    next_ = {};
    if (step >= total_steps_) return;
    const int64_t per_epoch = task_.steps_per_epoch();
    next_ = task_.step(step / per_epoch, step % per_epoch);
  }

  /// The passes over this rank's packs. `own` gets what they counted; returns their loss, fp64 [],
  /// on the device.
  at::Tensor pass_over(const TrainStep& work, StepTally& own) {
    model_.begin_step();
    at::Tensor loss = at::zeros({}, at::TensorOptions(at::kDouble).device(device_));
    for (int64_t i = 0; i < rounds_; ++i) {
      const bool has_pack = i < std::ssize(work.packs);
      const TrainPack* pack = has_pack ? &work.packs[static_cast<size_t>(i)] : nullptr;
      loss += model_.forward_backward(has_pack ? &pack->batch : nullptr, i + 1 == rounds_,
                                      has_pack ? pack->loss : nullptr);
      if (!has_pack) continue;
      own.computed_tokens += pack->batch.num_tokens();
      own.labels += pack->labels;
    }
    return loss;
  }

  /// The step's only wait for a device is before the update, as the update must not happen where
  /// loss or norm is not finite, and the loss is known only when all ranks have told theirs. It
  /// costs no time: the next step's packs are made before it, while the device still computes, and
  /// the device updates while this rank writes its report. Skipping the update on the device
  /// instead would take a collective of its own for the loss, and the same wait at the end.
  StepReport train_step() {
    const TraceSpan span(TraceLane::kCompute);
    comm_.set_step(fmt::format("{} step {}", task_.name(), step_ + 1));
    const TrainStep work = std::move(next_);
    StepTally own;
    const at::Tensor loss = pass_over(work, own);
    const at::Tensor norm = model_.finish_gradients();
    copies_.begin(step_);
    prepare_step(step_ + 1);
    own.loss = loss.item<double>();
    own.grad_norm = norm.item<double>();
    own.peak_bytes = peak_bytes(device_);
    own.next_packs = std::ssize(next_.packs);
    own.state_bits = copies_.end();
    own.is_writing = checkpoints_.is_writing();
    own.stop_requested = host_.stop_requested();
    own.save_requested = host_.save_requested();
    own.set_sums(task_.take_sums());

    StepReport report;
    const std::vector<StepTally> ranks = tallies(own);
    report.all = joined(ranks);
    XKDE_CHECK(std::isfinite(report.all.loss) && std::isfinite(report.all.grad_norm), NumericError,
               "step ", step_ + 1, ": expected a finite loss and gradient norm, found ",
               report.all.loss, " and ", report.all.grad_norm);
    compare_copies(ranks);
    report.learning_rate = schedule_.at(step_);
    update(norm, report.learning_rate);

    ++step_;
    rounds_ = report.all.next_packs;
    report.step = step_;
    report.epoch = static_cast<double>(step_) / static_cast<double>(task_.steps_per_epoch());
    report.samples = work.samples;
    report.tokens = work.tokens;
    report.seconds = watch_.seconds();
    watch_.restart();  // a save after this step counts in the next one
    return report;
  }

  std::vector<StepTally> tallies(const StepTally& own) const {
    const TraceSpan span(TraceLane::kWait, "tally");
    return dist::gather(comm_, own);
  }

  void compare_copies(const std::vector<StepTally>& ranks) const {
    std::vector<uint64_t> bits;
    for (const StepTally& rank : ranks) bits.push_back(rank.state_bits);
    copies_.compare(bits, concat("step ", step_ + 1));
  }

  void update(const at::Tensor& norm, double learning_rate) {
    const TraceSpan span(TraceLane::kOptimizer);
    const at::Tensor scale =
        keys_.max_grad_norm > 0 ? clip_scale(norm, keys_.max_grad_norm) : at::ones_like(norm);
    const at::Device home = model_.master().device();
    const auto guard = [&] {
      const TraceSpan wait_of_save(TraceLane::kSave, "copy of a save");
      return checkpoints_.begin_update();
    }();
    optimizer_->step(model_.master(), model_.gradient().to(home), learning_rate, scale.to(home));
  }

  /// Saves where one is due; throws StopRequested where a rank was asked to stop.
  void end_step(const StepTally& all) {
    const TraceSpan span(TraceLane::kSave);
    checkpoints_.add_loss(all.loss);
    const bool due = keys_.save_steps > 0 && step_ % keys_.save_steps == 0;
    const bool is_last = step_ == total_steps_ || ends_early();
    checkpoints_.poll(all.is_writing);
    if (due || is_last) {
      save(SaveScore::kOfSteps);
    } else if (all.stop_requested || all.save_requested) {
      save(SaveScore::kNone);
    }
    if (all.stop_requested || is_last) checkpoints_.finish();
    XKDE_CHECK(!all.stop_requested, StopRequested, "stopped on request after step ", step_, " of ",
               total_steps_, ", checkpoint saved in ", (host_.folder / "checkpoints").string());
  }

  Json to_json(const StepReport& r) const {
    const double necessary =
        host_.operations * (host_.block_parameters * static_cast<double>(r.all.computed_tokens) +
                            host_.head_parameters * static_cast<double>(r.all.labels));
    const double rate = static_cast<double>(r.tokens) / r.seconds;
    Json line{{"step", r.step},
              {"total_steps", total_steps_},
              {"epoch", r.epoch},
              {"loss", r.all.loss},
              {"grad_norm", r.all.grad_norm},
              {"learning_rate", r.learning_rate},
              {"samples", r.samples},
              {"tokens", r.tokens},
              {"computed_tokens", r.all.computed_tokens},
              {"tokens_per_second", rate},
              {"step_seconds", r.seconds},
              {"peak_bytes", r.all.peak_bytes},
              {"baseline_bytes", host_.baseline_bytes},
              {"sol", 100.0 * necessary / host_.matmul_rate / r.seconds}};
    task_.describe(r.all.task_sums(), line);
    return line;
  }

  static std::string summary(const Json& line) {
    const auto number = [&](const char* key) { return line.at(key).get<double>(); };
    std::string text =
        fmt::format("loss {:.4f}  norm {:.2f}  lr {:.2e}  {:.0f} tokens/s", number("loss"),
                    number("grad_norm"), number("learning_rate"), number("tokens_per_second"));
    if (const auto dev = line.find("eval_loss"); dev != line.end()) {
      text += fmt::format("  dev loss {:.4f}", dev->get<double>());
    }
    return text;
  }

  TrainPoint here() const {
    const int64_t per_epoch = task_.steps_per_epoch();
    TrainPoint point{.step = step_, .epoch = step_ / per_epoch, .position = step_ % per_epoch};
    if (has_dev_) point.dev_losses = history_.losses();
    return point;
  }

  void save(SaveScore score) { checkpoints_.save(here(), score); }

  TrainTask& task_;
  const TrainKeys& keys_;
  const DevOptions& dev_;
  const TrainHost& host_;
  dist::Communicator& comm_;
  dist::TrainableModel& model_;
  at::Device device_;
  int64_t total_steps_;
  LrSchedule schedule_;
  std::unique_ptr<Optimizer> optimizer_;
  TrainCheckpoints checkpoints_;
  dist::CopyCheck copies_;
  std::unique_ptr<JsonLinesWriter> lines_;  ///< on rank 0
  std::unique_ptr<EventFile> events_;       ///< null but on rank 0, where they are asked for
  int64_t step_ = 0;                        ///< steps done
  TrainStep next_;                          ///< the work of the step that comes next
  int64_t rounds_ = 0;                      ///< packs of the rank that has most in that step
  Stopwatch watch_;                         ///< since the last report
  StepProfile profile_;
  std::vector<TrainPack> dev_packs_;
  int64_t dev_rounds_ = 0;
  bool has_dev_ = false;
  DevHistory history_;
};

}  // namespace

std::optional<std::filesystem::path> train(TrainTask& task, const TrainKeys& keys,
                                           const DevOptions& dev, const TrainHost& host) {
  return Trainer(task, keys, dev, host).run();
}

}  // namespace xkde::recipe
