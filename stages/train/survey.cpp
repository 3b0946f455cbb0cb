#include "stages/train/survey.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "core/base/stop_signals.h"
#include "core/data/conversation.h"
#include "core/data/epoch_sampler.h"
#include "core/data/orpo_pair.h"
#include "core/data/sft_sample.h"
#include "core/io/file_reader.h"
#include "stages/build_data/built_data.h"
#include "stages/train/orpo_batch.h"
#include "stages/train/sft_batch.h"
#include "stages/train/sft_samples.h"

namespace xkde::recipe {
namespace {

// Steps are surveyed until they had this many samples.
constexpr int64_t kSurveyedSamples = 2048;
// What a prompt of a sample stage and its answers are taken to be before they are there.
constexpr int64_t kTypicalPromptTokens = 110;
constexpr int64_t kTypicalAnswerTokens = 12;
constexpr int64_t kTypicalAnswers = 6;

TrainWorkload workload_of(const TrainKeys& keys, const SurveyInputs& inputs) {
  TrainWorkload workload;
  workload.stage = inputs.stage;
  workload.optimizer = keys.optim;
  workload.saves_async = keys.async_save && keys.save_steps > 0;
  return workload;
}

std::vector<SftSample> samples_of(const SftStage& stage, const SurveyInputs& inputs) {
  return encode_samples(conversations_of(stage.train_data, inputs), stage.train_data, stage,
                        inputs.model, inputs.chat_template);
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

/// Fewer prompts than ranks leave some ranks, the first one too, without packs.
void keep_first(const std::vector<PackedBatch>& packs, PackedBatch& example) {
  if (!example.input_ids.defined() && !packs.empty()) example = packs.front();
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

}  // namespace

const std::vector<Conversation>& conversations_of(const std::string& train_data,
                                                  const SurveyInputs& inputs) {
  LoadedData& files = inputs.data.files;
  if (train_data != SftStage::kBuiltData) return files.conversations(train_data);
  const size_t builder = inputs.recipe.stage_above(inputs.stage, BuildDataStage::kName);
  if (const auto built = inputs.artifacts.left_by(builder))
    return read_as(
        FileOrigin::kOwn, [&]() -> auto& { return files.conversations(*built); });
  const auto& build = as<BuildDataStage>(*inputs.recipe.stages[builder]);
  return built_ahead(build, inputs.recipe, inputs.data).conversations;
}

void check_sft(const SftStage& stage, const SurveyInputs& inputs) { samples_of(stage, inputs); }

TrainWorkload survey_sft(const SftStage& stage, const SurveyInputs& inputs) {
  const RunPlace& place = inputs.place;
  const std::vector<SftSample> samples = samples_of(stage, inputs);
  EpochSampler sampler(static_cast<uint64_t>(inputs.recipe.seed),
                       static_cast<int64_t>(samples.size()), stage.global_batch(place.ranks),
                       stage.last_batch == LastBatch::kWrap);
  TrainWorkload workload = workload_of(stage, inputs);
  workload.samples = static_cast<int64_t>(samples.size());
  workload.steps = stage.total_steps(sampler.steps_per_epoch());

  int64_t seen = 0;
  int64_t steps = 0;
  dist::StepWork total{.packs = 0.0};
  while (steps < sampler.steps_per_epoch() && seen < kSurveyedSamples) {
    check_stop();
    const std::vector<int64_t> batch = sampler.batch(0, steps);
    dist::StepWork most{.packs = 0.0};
    for (int rank = 0; rank < place.ranks; ++rank) {
      const std::vector<PackedBatch> packs =
          packs_of_step(stage, samples, batch, rank, place.ranks, at::kCPU);
      survey_packs(packs, place.device.type(), workload);
      const dist::StepWork own = dist::work_of(packs, place.device.type());
      if (own.tokens > most.tokens) most = own;
      keep_first(packs, workload.example);
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

TrainWorkload survey_orpo(const OrpoStage& stage, const SurveyInputs& inputs) {
  const RunPlace& place = inputs.place;
  const std::vector<OrpoPair> pairs = typical_pairs(stage.global_batch(place.ranks));
  std::vector<int64_t> all(pairs.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  const OrpoBatchOptions options{.share_prefixes = stage.token_tree,
                                 .max_tokens = stage.max_tokens_per_pack,
                                 .max_prompts = stage.packing ? 0 : 1};
  TrainWorkload workload = workload_of(stage, inputs);
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
    keep_first(packs, workload.example);
  }
  // A prompt with the longest answers gets a pack of its own.
  const int64_t longest =
      stage.max_length + (kTypicalAnswers - 1) * (stage.max_length - stage.max_prompt_length);
  workload.largest.tokens =
      std::max(workload.largest.tokens, std::min(longest, stage.max_tokens_per_pack));
  return workload;
}

}  // namespace xkde::recipe
