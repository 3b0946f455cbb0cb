#include "stages/pipeline/run_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <variant>

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>

#include "core/base/error.h"
#include "core/data/conversation.h"
#include "core/data/epoch_sampler.h"
#include "core/nn/device_memory.h"
#include "distributed/planner/machine_presets.h"
#include "stages/build_data/built_data.h"
#include "stages/train/orpo_batch.h"
#include "stages/train/sft_batch.h"
#include "stages/train/sft_samples.h"

namespace xkde::recipe {
namespace {

// What a process has in memory before it holds a model: mostly the pages of LibTorch.
constexpr int64_t kProcessBytes = 400'000'000;
// Of a GPU's memory, what its context, NCCL and fragments take.
constexpr double kUsableShare = 0.97;
constexpr int64_t kContextBytes = 1'500'000'000;
// Steps are surveyed until they had this many samples.
constexpr int64_t kSurveyedSamples = 2048;
// What a prompt of a sample stage and its answers are taken to be before they are there.
constexpr int64_t kTypicalPromptTokens = 110;
constexpr int64_t kTypicalAnswerTokens = 12;
constexpr int64_t kTypicalAnswers = 6;

int64_t usable_gpu_bytes(double total) {
  return static_cast<int64_t>(kUsableShare * total) - kContextBytes;
}

/// The nearest build_data stage above.
const BuildDataStage& builder_of(const Recipe& recipe, size_t stage) {
  for (size_t i = stage; i-- > 0;) {
    if (const auto* build = std::get_if<BuildDataStage>(&recipe.stages[i])) return *build;
  }
  throw InternalError("sft: no build_data stage above");
}

std::vector<SftSample> samples_of(const Recipe& recipe, size_t index, const PretrainedModel& model,
                                  const ChatTemplate& chat_template) {
  const auto& stage = std::get<SftStage>(recipe.stages[index]);
  const std::vector<Conversation> conversations =
      stage.uses_built_data() ? build_data(builder_of(recipe, index), recipe).conversations
                              : read_conversations(stage.train_data);
  return encode_samples(conversations, stage.train_data, stage, model, chat_template);
}

void keep_largest(dist::PackShape& largest, const dist::PackShape& shape) {
  largest.tokens = std::max(largest.tokens, shape.tokens);
  largest.labels = std::max(largest.labels, shape.labels);
  largest.pairs = std::max(largest.pairs, shape.pairs);
  largest.path_queries = std::max(largest.path_queries, shape.path_queries);
  largest.path_keys = std::max(largest.path_keys, shape.path_keys);
}

void survey_packs(const std::vector<PackedBatch>& packs, c10::DeviceType device,
                  TrainWorkload& workload) {
  for (const PackedBatch& pack : packs) {
    keep_largest(workload.largest, dist::shape_of(pack, device));
    workload.computed_tokens += static_cast<double>(pack.num_tokens());
    workload.tokens += static_cast<double>(pack.sequence_tokens);
  }
}

/// Pairs that are to be sampled yet: prompts as XE-IT's, the gold answer and five short ones.
std::vector<OrpoPair> typical_pairs(int64_t count) {
  std::vector<OrpoPair> pairs;
  for (int64_t prompt = 0; std::ssize(pairs) < count; ++prompt) {
    std::vector<int64_t> ids(kTypicalPromptTokens, 0);
    ids.front() = prompt;
    const auto answer = [](int64_t number) {
      return std::vector<int64_t>(kTypicalAnswerTokens, number);
    };
    for (int64_t better = 0; better < kTypicalAnswers; ++better) {
      for (int64_t worse = better + 1; worse < kTypicalAnswers; ++worse) {
        if (std::ssize(pairs) < count)
          pairs.push_back({{ids, answer(better)}, {ids, answer(worse)}});
      }
    }
  }
  return pairs;
}

dist::PlanRequest request_for(const Recipe& recipe, const Decoder& decoder,
                              const TrainWorkload& workload, const RunPlace& place) {
  dist::PlanRequest request;
  request.model = dist::shape_of(decoder);
  request.ranks = place.ranks;
  request.options = engine_options(recipe, place.ranks, place.device);
  request.shard = recipe.parallel.shard;
  request.recompute = recipe.parallel.recompute;
  request.largest = workload.largest;
  request.work = workload.work;
  request.machine = place.machine;
  request.memory = dist::memory_constants(place.device.type());
  const TrainKeys& keys = *train_keys(recipe.stages[workload.stage]);
  request.memory.saves_async = keys.async_save && keys.save_steps > 0;
  request.available_bytes = place.bytes;
  return request;
}

}  // namespace

RunPlace this_place(int ranks, int ranks_on_host, at::Device device, at::ScalarType compute_dtype) {
  RunPlace place{.ranks = ranks, .ranks_on_host = ranks_on_host, .device = device};
  place.threads = at::get_num_threads();
  if (device.is_cpu()) {
    place.bytes = device_bytes(device) / ranks_on_host - kProcessBytes;
    place.machine = dist::cpu_constants(compute_dtype, place.threads);
    return place;
  }
  const auto total = static_cast<double>(device_bytes(device));
  const int sharing = std::max(1, ranks_on_host / at::accelerator::deviceCount());
  const dist::MachinePreset preset = dist::machine_preset_with(total);
  place.bytes = usable_gpu_bytes(total) / sharing;
  place.machine = preset.machine;
  if (compute_dtype == at::kFloat) place.machine.matmul_flops *= dist::kFloatShare;
  return place;
}

RunPlace preset_place(int ranks, const std::string& name, at::ScalarType compute_dtype) {
  const dist::MachinePreset preset = dist::machine_preset(name);
  RunPlace place{.ranks = ranks, .device = at::kCUDA};
  place.ranks_on_host = std::min(ranks, preset.machine.link.ranks_per_node);
  place.bytes = usable_gpu_bytes(preset.device_bytes);
  place.machine = preset.machine;
  if (compute_dtype == at::kFloat) place.machine.matmul_flops *= dist::kFloatShare;
  return place;
}

dist::EngineOptions engine_options(const Recipe& recipe, int ranks, at::Device device) {
  const ParallelSection& parallel = recipe.parallel;
  XKDE_CHECK(ranks % parallel.replicate == 0, ConfigError,
             recipe.origin.place_of("parallel.replicate"),
             ": parallel.replicate: expected a divisor of the ", ranks, " ranks, found ",
             parallel.replicate);
  dist::EngineOptions options;
  options.compute_dtype = recipe.model.dtype == "float32" ? at::kFloat : at::kBFloat16;
  options.device = device;
  options.replicate = static_cast<int>(parallel.replicate);
  options.shard = parallel.shard.value_or(options.shard);
  options.recompute = parallel.recompute.value_or(options.recompute);
  options.prefetch = parallel.prefetch >= 0 ? parallel.prefetch : (device.is_cuda() ? 1 : 0);
  options.grad_reduce_dtype = parallel.grad_reduce_dtype == "float32" ? at::kFloat : at::kBFloat16;
  options.offload_optimizer = parallel.offload_optimizer;
  return options;
}

TrainWorkload survey_training(const Recipe& recipe, size_t index, const PretrainedModel& model,
                              const ChatTemplate& chat_template, const RunPlace& place) {
  const auto& stage = std::get<SftStage>(recipe.stages[index]);
  const std::vector<SftSample> samples = samples_of(recipe, index, model, chat_template);
  EpochSampler sampler(static_cast<uint64_t>(recipe.seed), static_cast<int64_t>(samples.size()),
                       stage.global_batch(place.ranks), stage.last_batch == LastBatch::kWrap);
  TrainWorkload workload;
  workload.stage = index;
  workload.samples = static_cast<int64_t>(samples.size());
  workload.steps = stage.total_steps(sampler.steps_per_epoch());

  int64_t seen = 0;
  int64_t steps = 0;
  dist::StepWork total{.packs = 0.0};
  while (steps < sampler.steps_per_epoch() && seen < kSurveyedSamples) {
    const std::vector<int64_t> batch = sampler.batch(0, steps);
    dist::StepWork most{.packs = 0.0};
    for (int rank = 0; rank < place.ranks; ++rank) {
      const std::vector<PackedBatch> packs =
          packs_of_step(stage, samples, batch, rank, place.ranks, at::kCPU);
      survey_packs(packs, place.device.type(), workload);
      const dist::StepWork own = dist::work_of(packs, place.device.type());
      if (own.tokens > most.tokens) most = own;
      if (steps == 0 && rank == 0 && !packs.empty()) workload.example = packs.front();
    }
    total.packs += most.packs;
    total.tokens += most.tokens;
    total.labels += most.labels;
    total.pairs += most.pairs;
    seen += static_cast<int64_t>(batch.size());
    ++steps;
  }
  const auto count = static_cast<double>(steps);
  workload.tokens /= count;
  workload.computed_tokens /= count;
  workload.work = {.packs = total.packs / count,
                   .tokens = total.tokens / count,
                   .labels = total.labels / count,
                   .pairs = total.pairs / count};
  // A sequence that was not surveyed may be longer than any pack that was.
  for (const SftSample& sample : samples) {
    workload.largest.tokens =
        std::max(workload.largest.tokens, static_cast<int64_t>(sample.ids.size()) - 1);
  }
  return workload;
}

TrainWorkload survey_preferences(const Recipe& recipe, size_t index, const RunPlace& place) {
  const auto& stage = std::get<OrpoStage>(recipe.stages[index]);
  const std::vector<OrpoPair> pairs = typical_pairs(stage.global_batch(place.ranks));
  std::vector<int64_t> all(pairs.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  const OrpoBatchOptions options{.share_prefixes = stage.token_tree,
                                 .max_tokens = stage.max_tokens_per_pack,
                                 .max_prompts = stage.packing ? 0 : 1};
  TrainWorkload workload;
  workload.stage = index;
  workload.steps = std::max<int64_t>(0, stage.max_steps);
  workload.samples = std::ssize(pairs);
  for (int rank = 0; rank < place.ranks; ++rank) {
    std::vector<PackedBatch> packs;
    for (OrpoPack& pack : orpo_packs(pairs, all, options, rank, place.ranks)) {
      packs.push_back(std::move(pack.batch));
    }
    survey_packs(packs, place.device.type(), workload);
    const dist::StepWork own = dist::work_of(packs, place.device.type());
    if (own.tokens > workload.work.tokens || rank == 0) workload.work = own;
    if (rank == 0 && !packs.empty()) workload.example = packs.front();
  }
  // A prompt with the longest answers gets a pack of its own.
  const int64_t longest =
      stage.max_length + (kTypicalAnswers - 1) * (stage.max_length - stage.max_prompt_length);
  workload.largest.tokens =
      std::max(workload.largest.tokens, std::min(longest, stage.max_tokens_per_pack));
  return workload;
}

std::optional<RunPlan> plan_run(const Recipe& recipe, const PretrainedModel& model,
                                const ChatTemplate& chat_template, const Decoder& decoder,
                                const RunPlace& place) {
  std::optional<RunPlan> largest;
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    if (train_keys(recipe.stages[i]) == nullptr) continue;
    RunPlan run;
    const bool is_sft = std::holds_alternative<SftStage>(recipe.stages[i]);
    run.workload = is_sft ? survey_training(recipe, i, model, chat_template, place)
                          : survey_preferences(recipe, i, place);
    run.request = request_for(recipe, decoder, run.workload, place);
    run.plan = dist::choose_plan(run.request);
    if (!largest || run.plan.memory.peak() > largest->plan.memory.peak()) largest = std::move(run);
  }
  return largest;
}

}  // namespace xkde::recipe
