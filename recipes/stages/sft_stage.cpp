#include "recipes/stages/sft_stage.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stopwatch.h"
#include "core/data/epoch_sampler.h"
#include "core/data/sft_sample.h"
#include "core/optim/adamw.h"
#include "core/optim/lr_schedule.h"
#include "distributed/device_memory.h"
#include "recipes/stages/json_lines.h"
#include "recipes/stages/matmul_rate.h"
#include "recipes/stages/progress.h"
#include "recipes/stages/run_plan.h"
#include "recipes/stages/stop_request.h"
#include "recipes/stages/train_batch.h"
#include "recipes/stages/train_checkpoints.h"
#include "recipes/stages/train_samples.h"

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
  int64_t labels = 0;
  double seconds = 0.0;
  int64_t peak_bytes = 0;  ///< of the device's memory, at the rank that had most: dist::peak_bytes
};

LrScheduleKind schedule_kind(const std::string& name) {
  if (name == "linear") return LrScheduleKind::kLinear;
  if (name == "constant") return LrScheduleKind::kConstant;
  return LrScheduleKind::kCosine;
}

/// One training run: its state and the loop over steps.
class Trainer {
 public:
  Trainer(const SftStage& stage, std::filesystem::path folder, RunContext& context,
          std::vector<SftSample> samples)
      : stage_(stage),
        folder_(std::move(folder)),
        context_(context),
        comm_(context.comm()),
        model_(context.model()),
        samples_(std::move(samples)),
        sampler_(static_cast<uint64_t>(context.recipe().seed),
                 static_cast<int64_t>(samples_.size()),
                 global_batch_of(stage, context.comm().size()), stage.last_batch == "wrap"),
        optimizer_(model_.layout().state_numel,
                   {stage.adam_beta1, stage.adam_beta2, stage.adam_epsilon, stage.weight_decay},
                   model_.decay_ranges(), model_.master().device()),
        checkpoints_(stage, folder_ / "checkpoints", context, optimizer_) {
    total_steps_ = total_steps_of(stage, sampler_.steps_per_epoch());
    schedule_ = {.kind = schedule_kind(stage.lr_scheduler_type),
                 .peak = stage.learning_rate,
                 .warmup_steps = stage.warmup_steps < 1.0
                                     ? warmup_from_ratio(stage.warmup_steps, total_steps_)
                                     : static_cast<int64_t>(stage.warmup_steps),
                 .total_steps = total_steps_};
  }

  void run() {
    step_ = checkpoints_.resume();
    const std::filesystem::path metrics = folder_ / "metrics.jsonl";
    std::unique_ptr<JsonLinesWriter> lines;
    if (context_.is_root()) {
      keep_lines_up_to(metrics, "step", step_);
      lines = std::make_unique<JsonLinesWriter>(metrics);
    }
    baseline_bytes_ = largest_of_ranks(context_.baseline_bytes);
    dist::reset_peak_bytes(context_.device());
    matmul_rate_ = sum_of_ranks(measure_matmul_rate(context_.compute_dtype(), context_.device()));
    Progress progress("sft", total_steps_, step_, context_.recipe().logging_steps,
                      context_.is_root());
    watch_.restart();
    while (step_ < total_steps_) {
      const StepReport report = train_step();
      if (lines) lines->append(to_json(report));
      progress.update(step_, summary(report));
      checkpoints_.add_loss(report.loss);
      const bool due = stage_.save_steps > 0 && step_ % stage_.save_steps == 0;
      const StepEnd end = agree_on_step_end(comm_, checkpoints_.is_writing());
      checkpoints_.poll(end.is_writing);
      if (due || end.stop_requested || step_ == total_steps_) save();
      if (end.stop_requested || step_ == total_steps_) checkpoints_.finish();
      XKDE_CHECK(!end.stop_requested, StopRequested, "stopped on request after step ", step_,
                 " of ", total_steps_, ", checkpoint saved in ",
                 (folder_ / "checkpoints").string());
    }
    if (total_steps_ == 0) {
      save();
      checkpoints_.finish();
    }
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

  StepReport train_step() {
    const auto [epoch, position] = sampler_.position(step_);
    const std::vector<int64_t> batch = sampler_.batch(epoch, position);
    const std::vector<PackedBatch> packs =
        packs_of_step(stage_, samples_, batch, comm_.rank(), comm_.size(), context_.device());

    StepReport report;
    model_.begin_step();
    at::Tensor loss = at::zeros({}, at::TensorOptions(at::kDouble).device(context_.device()));
    int64_t computed = 0;
    const int64_t rounds = largest_of_ranks(std::ssize(packs));
    for (int64_t i = 0; i < rounds; ++i) {
      const bool has_pack = i < std::ssize(packs);
      const PackedBatch* pack = has_pack ? &packs[static_cast<size_t>(i)] : nullptr;
      loss += model_.forward_backward(pack, i + 1 == rounds);
      if (has_pack) computed += pack->num_tokens();
    }
    const at::Tensor norm = model_.finish_gradients();
    report.learning_rate = schedule_.at(step_);
    const at::Tensor scale =
        stage_.max_grad_norm > 0 ? clip_scale(norm, stage_.max_grad_norm) : at::ones_like(norm);
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
    report.epoch = static_cast<double>(step_) / static_cast<double>(sampler_.steps_per_epoch());
    report.samples = static_cast<int64_t>(batch.size());
    for (const int64_t index : batch) {
      report.tokens += static_cast<int64_t>(samples_[static_cast<size_t>(index)].ids.size());
      report.labels += samples_[static_cast<size_t>(index)].num_trained();
    }
    report.computed_tokens = static_cast<int64_t>(sum_of_ranks(static_cast<double>(computed)));
    report.peak_bytes = largest_of_ranks(dist::peak_bytes(context_.device()));
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
    return Json{{"step", r.step},
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
  }

  static std::string summary(const StepReport& r) {
    char text[160];
    std::snprintf(text, sizeof text, "loss %.4f  norm %.2f  lr %.2e  %.0f tokens/s", r.loss,
                  r.grad_norm, r.learning_rate, static_cast<double>(r.tokens) / r.seconds);
    return text;
  }

  void save() {
    const auto [epoch, position] = sampler_.position(step_);
    checkpoints_.save(step_, epoch, position);
  }

  const SftStage& stage_;
  std::filesystem::path folder_;
  RunContext& context_;
  dist::Communicator& comm_;
  dist::ShardedModel& model_;
  std::vector<SftSample> samples_;
  EpochSampler sampler_;
  AdamW optimizer_;
  TrainCheckpoints checkpoints_;
  LrSchedule schedule_;
  int64_t total_steps_ = 0;
  int64_t step_ = 0;
  double matmul_rate_ = 1.0;
  Stopwatch watch_;  ///< since the last report
  int64_t baseline_bytes_ = 0;
};

}  // namespace

void run_sft(const SftStage& stage, const std::filesystem::path& folder, RunContext& context) {
  const std::filesystem::path file =
      stage.uses_built_data() ? context.train_file : std::filesystem::path(stage.train_data);
  Trainer trainer(stage, folder, context,
                  encode_samples(read_conversations(file), file.string(), stage,
                                 context.pretrained(), context.chat_template()));
  trainer.run();
}

}  // namespace xkde::recipe
