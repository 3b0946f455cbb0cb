#include "stages/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stopwatch.h"
#include "core/nn/device_memory.h"
#include "core/optim/adamw.h"
#include "core/optim/lr_schedule.h"
#include "stages/run/json_lines.h"
#include "stages/run/progress.h"
#include "stages/run/stop_request.h"
#include "stages/train/checkpoints.h"
#include "stages/train/dev_history.h"
#include "stages/train/matmul_rate.h"

namespace xkde::recipe {
namespace {

struct StepReport {
  int64_t step = 0;  ///< from 1
  double epoch = 0.0;
  double loss = 0.0;
  double grad_norm = 0.0;
  double learning_rate = 0.0;
  int64_t samples = 0;
  int64_t tokens = 0;           ///< of the samples laid out one by one, all ranks
  int64_t computed_tokens = 0;  ///< rows that were really computed, all ranks
  int64_t labels = 0;           ///< whose logits the loss needs, all ranks
  double seconds = 0.0;
  int64_t peak_bytes = 0;    ///< of the device's memory, at the rank that had most: peak_bytes
  std::vector<double> sums;  ///< of the task
};

LrScheduleKind schedule_kind(const std::string& name) {
  if (name == "linear") return LrScheduleKind::kLinear;
  if (name == "constant") return LrScheduleKind::kConstant;
  return LrScheduleKind::kCosine;
}

LrSchedule schedule_of(const TrainKeys& keys, int64_t total_steps) {
  return {.kind = schedule_kind(keys.lr_scheduler_type),
          .peak = keys.learning_rate,
          .warmup_steps = keys.warmup_steps < 1.0
                              ? warmup_from_ratio(keys.warmup_steps, total_steps)
                              : static_cast<int64_t>(keys.warmup_steps),
          .total_steps = total_steps};
}

/// One training run: its state and the loop over steps.
class Trainer {
 public:
  Trainer(TrainTask& task, const TrainKeys& keys, bool keep_best, const DevOptions& dev,
          std::filesystem::path folder, RunContext& context)
      : task_(task),
        keys_(keys),
        dev_(dev),
        folder_(std::move(folder)),
        context_(context),
        comm_(context.comm()),
        model_(context.model()),
        total_steps_(keys.total_steps(task.steps_per_epoch())),
        schedule_(schedule_of(keys, total_steps_)),
        optimizer_(model_.layout().state_numel,
                   {keys.adam_beta1, keys.adam_beta2, keys.adam_epsilon, keys.weight_decay},
                   model_.decay_ranges(), model_.master().device()),
        checkpoints_(keys, task.name(), keep_best, folder_ / "checkpoints", context, optimizer_) {}

  void run() {
    step_ = checkpoints_.resume();
    const std::filesystem::path metrics = folder_ / "metrics.jsonl";
    std::unique_ptr<JsonLinesWriter> lines;
    if (context_.is_root()) {
      keep_lines_up_to(metrics, "step", step_);
      lines = std::make_unique<JsonLinesWriter>(metrics);
    }
    prepare_dev(metrics);
    baseline_bytes_ = largest_of_ranks(context_.baseline_bytes);
    reset_peak_bytes(context_.device());
    matmul_rate_ = sum_of_ranks(measure_matmul_rate(context_.compute_dtype(), context_.device()));
    Progress progress(task_.name(), total_steps_, step_, context_.recipe().logging_steps,
                      context_.is_root());
    watch_.restart();
    while (step_ < total_steps_ && !ends_early()) {
      const StepReport report = train_step();
      Json line = to_json(report);
      const bool evaluates = has_dev_ && (step_ % dev_.eval_steps == 0 || step_ == total_steps_);
      if (evaluates) evaluate(line);
      if (lines) lines->append(line);
      progress.update(step_, summary(report, line));
      checkpoints_.add_loss(report.loss);
      const bool due = keys_.save_steps > 0 && step_ % keys_.save_steps == 0;
      const bool is_last = step_ == total_steps_ || ends_early();
      const StepEnd end = agree_on_step_end(comm_, checkpoints_.is_writing());
      checkpoints_.poll(end.is_writing);
      if (due || end.stop_requested || is_last) save();
      if (end.stop_requested || is_last) checkpoints_.finish();
      XKDE_CHECK(!end.stop_requested, StopRequested, "stopped on request after step ", step_,
                 " of ", total_steps_, ", checkpoint saved in ",
                 (folder_ / "checkpoints").string());
    }
    if (total_steps_ == 0) {
      save();
      checkpoints_.finish();
    }
    if (dev_.load_best && has_dev_) checkpoints_.load_best();
  }

 private:
  /// One number of every rank, by rank. Goes by host memory: no device waits.
  std::vector<double> from_all(double value) const {
    std::vector<double> values;
    for (const std::string& bytes :
         comm_.all_gather_bytes({reinterpret_cast<const char*>(&value), sizeof value})) {
      XKDE_CHECK(bytes.size() == sizeof value, InternalError, "a rank sent ", bytes.size(),
                 " bytes");
      std::memcpy(&values.emplace_back(), bytes.data(), sizeof value);
    }
    return values;
  }
  double sum_of_ranks(double value) const {
    const std::vector<double> values = from_all(value);
    return std::accumulate(values.begin(), values.end(), 0.0);
  }
  int64_t largest_of_ranks(int64_t value) const {
    const std::vector<double> values = from_all(static_cast<double>(value));
    return static_cast<int64_t>(*std::max_element(values.begin(), values.end()));
  }

  /// This rank's vector summed over ranks, in rank order.
  std::vector<double> sum_of_vectors(const std::vector<double>& values) const {
    std::vector<double> sums(values.size(), 0.0);
    const std::string bytes(reinterpret_cast<const char*>(values.data()),
                            values.size() * sizeof(double));
    for (const std::string& part : comm_.all_gather_bytes(bytes)) {
      XKDE_CHECK(part.size() == bytes.size(), InternalError, "a rank sent ", part.size(),
                 " bytes, expected ", bytes.size());
      for (size_t i = 0; i < sums.size(); ++i) {
        double value = 0.0;
        std::memcpy(&value, part.data() + i * sizeof value, sizeof value);
        sums[i] += value;
      }
    }
    return sums;
  }

  /// The task's sums over all ranks. A rank that had no pack has none of its own.
  std::vector<double> gathered_sums() {
    const at::Tensor sums = task_.take_sums();
    if (!sums.defined()) return {};
    const at::Tensor host = sums.cpu().contiguous();
    const double* values = host.const_data_ptr<double>();
    return sum_of_vectors({values, values + host.numel()});
  }

  void prepare_dev(const std::filesystem::path& metrics) {
    if (dev_.eval_steps == 0) return;
    dev_packs_ = task_.dev_packs();
    dev_rounds_ = largest_of_ranks(std::ssize(dev_packs_));
    has_dev_ = dev_rounds_ > 0;
    std::string past;
    if (context_.is_root()) past = DevHistory::read(metrics).dump();
    history_ = DevHistory::parse(comm_.broadcast_bytes(past, 0));
  }

  bool ends_early() const { return dev_.patience > 0 && history_.stale() >= dev_.patience; }

  void evaluate(Json& line) {
    at::Tensor loss = at::zeros({}, at::TensorOptions(at::kDouble).device(context_.device()));
    for (int64_t i = 0; i < dev_rounds_; ++i) {
      const bool has_pack = i < std::ssize(dev_packs_);
      const TrainPack* pack = has_pack ? &dev_packs_[static_cast<size_t>(i)] : nullptr;
      const at::Tensor log_probs = model_.log_probs(has_pack ? &pack->batch : nullptr);
      if (has_pack) loss += pack->loss(log_probs).loss;
    }
    const double value = sum_of_ranks(loss.item<double>());
    XKDE_CHECK(std::isfinite(value), NumericError, "step ", step_,
               ": expected a finite loss of the dev set, found ", value);
    Json figures;
    task_.describe(gathered_sums(), figures);
    line["eval_loss"] = value;
    for (const auto& [key, figure] : figures.items()) line["eval_" + key] = figure;
    history_.add(value);
    checkpoints_.set_score(value);
  }

  StepReport train_step() {
    const int64_t per_epoch = task_.steps_per_epoch();
    const TrainStep work = task_.step(step_ / per_epoch, step_ % per_epoch);

    StepReport report;
    model_.begin_step();
    at::Tensor loss = at::zeros({}, at::TensorOptions(at::kDouble).device(context_.device()));
    int64_t computed = 0;
    int64_t labels = 0;
    const int64_t rounds = largest_of_ranks(std::ssize(work.packs));
    for (int64_t i = 0; i < rounds; ++i) {
      const bool has_pack = i < std::ssize(work.packs);
      const TrainPack* pack = has_pack ? &work.packs[static_cast<size_t>(i)] : nullptr;
      loss += model_.forward_backward(has_pack ? &pack->batch : nullptr, i + 1 == rounds,
                                      has_pack ? pack->loss : nullptr);
      if (!has_pack) continue;
      computed += pack->batch.num_tokens();
      labels += pack->labels;
    }
    const at::Tensor norm = model_.finish_gradients();
    report.learning_rate = schedule_.at(step_);
    const at::Tensor scale =
        keys_.max_grad_norm > 0 ? clip_scale(norm, keys_.max_grad_norm) : at::ones_like(norm);
    const at::Device home = model_.master().device();
    checkpoints_.wait_for_copy();
    optimizer_.step(model_.master(), model_.gradient().to(home), report.learning_rate,
                    scale.to(home));
    model_.masters_changed();
    // The one wait for a device in a step, when all of it is on its way.
    report.loss = sum_of_ranks(loss.item<double>());
    report.grad_norm = norm.item<double>();
    XKDE_CHECK(std::isfinite(report.loss) && std::isfinite(report.grad_norm), NumericError, "step ",
               step_ + 1, ": expected a finite loss and gradient norm, found ", report.loss,
               " and ", report.grad_norm);

    ++step_;
    report.step = step_;
    report.epoch = static_cast<double>(step_) / static_cast<double>(per_epoch);
    report.samples = work.samples;
    report.tokens = work.tokens;
    report.computed_tokens = static_cast<int64_t>(sum_of_ranks(static_cast<double>(computed)));
    report.labels = static_cast<int64_t>(sum_of_ranks(static_cast<double>(labels)));
    report.peak_bytes = largest_of_ranks(peak_bytes(context_.device()));
    report.sums = gathered_sums();
    report.seconds = watch_.seconds();
    watch_.restart();  // a save after this step counts in the next one
    return report;
  }

  Json to_json(const StepReport& r) const {
    // Forward and backward of a linear layer are three products: 6 operations for each parameter
    // and token.
    const ModelConfig& config = context_.decoder().config();
    const double necessary = 6.0 * (static_cast<double>(context_.decoder().block_parameters()) *
                                        static_cast<double>(r.computed_tokens) +
                                    static_cast<double>(config.vocab_size * config.hidden_size) *
                                        static_cast<double>(r.labels));
    const double rate = static_cast<double>(r.tokens) / r.seconds;
    Json line{{"step", r.step},
              {"epoch", r.epoch},
              {"loss", r.loss},
              {"grad_norm", r.grad_norm},
              {"learning_rate", r.learning_rate},
              {"samples", r.samples},
              {"tokens", r.tokens},
              {"computed_tokens", r.computed_tokens},
              {"tokens_per_second", rate},
              {"step_seconds", r.seconds},
              {"peak_bytes", r.peak_bytes},
              {"baseline_bytes", baseline_bytes_},
              {"sol", 100.0 * necessary / matmul_rate_ / r.seconds}};
    task_.describe(r.sums, line);
    return line;
  }

  static std::string summary(const StepReport& r, const Json& line) {
    char text[200];
    int length =
        std::snprintf(text, sizeof text, "loss %.4f  norm %.2f  lr %.2e  %.0f tokens/s", r.loss,
                      r.grad_norm, r.learning_rate, static_cast<double>(r.tokens) / r.seconds);
    if (const auto dev = line.find("eval_loss"); dev != line.end()) {
      std::snprintf(text + length, sizeof text - static_cast<size_t>(length), "  dev loss %.4f",
                    dev->get<double>());
    }
    return text;
  }

  void save() {
    const int64_t per_epoch = task_.steps_per_epoch();
    checkpoints_.save(step_, step_ / per_epoch, step_ % per_epoch);
  }

  TrainTask& task_;
  const TrainKeys& keys_;
  const DevOptions& dev_;
  std::filesystem::path folder_;
  RunContext& context_;
  dist::Communicator& comm_;
  dist::ShardedModel& model_;
  int64_t total_steps_;
  LrSchedule schedule_;
  AdamW optimizer_;
  TrainCheckpoints checkpoints_;
  int64_t step_ = 0;
  double matmul_rate_ = 1.0;
  Stopwatch watch_;  ///< since the last report
  int64_t baseline_bytes_ = 0;
  std::vector<TrainPack> dev_packs_;
  int64_t dev_rounds_ = 0;
  bool has_dev_ = false;
  DevHistory history_;
};

}  // namespace

void run_training(TrainTask& task, const TrainKeys& keys, bool keep_best, const DevOptions& dev,
                  const std::filesystem::path& folder, RunContext& context) {
  Trainer(task, keys, keep_best, dev, folder, context).run();
}

}  // namespace xkde::recipe
