#include "stages/train/orpo_stage.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/data/at_row.h"
#include "core/data/epoch_sampler.h"
#include "core/data/orpo_pair.h"
#include "core/data/preference_rows.h"
#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"
#include "core/loss/orpo_loss.h"
#include "core/text/plural.h"
#include "stages/recipe/run_record.h"
#include "stages/train/finished_training.h"
#include "stages/train/orpo_batch.h"
#include "stages/train/run_training.h"

namespace xkde::recipe {
namespace {

/// The pairs as token ids, and where they came from.
struct PairSet {
  std::vector<OrpoPair> train, dev;
  std::vector<int64_t>
      without_tokens;              ///< of the training pairs: stay in the order, and are left out
  std::vector<int64_t> prompt_of;  ///< of each training pair: pairs of one prompt have one number
  int64_t equal_texts = 0;         ///< left out: chosen and rejected are the same
  int64_t prompts_differ = 0;      ///< left out: protocol 5.4, step 2
  int64_t empty_texts = 0;         ///< left out: a prompt or an answer has no token
  int64_t dev_over_limit = 0;      ///< left out: beyond max_dev_pairs
  int64_t truncated = 0;

  int64_t num_trained() const { return std::ssize(train) - std::ssize(without_tokens); }
};

/// `rows` are texts.
PairSet encode_pairs(const std::vector<PairRow>& rows, const OrpoStage& stage,
                     const PretrainedModel& model) {
  const OrpoLimits limits{.max_length = std::min(stage.max_length, model.config.context_length()),
                          .max_prompt_length = stage.max_prompt_length,
                          .keep_end = stage.truncation_mode == TruncationMode::kKeepEnd};
  PairSet set;
  std::map<std::string, int64_t> prompts;
  std::map<std::pair<std::string, std::string>, OrpoSequence> encoded;
  const auto encode = [&](const std::string& prompt, const std::string& answer) {
    const auto [found, is_new] = encoded.try_emplace({prompt, answer});
    if (is_new) found->second = encode_orpo_sequence(model.tokenizer, prompt, answer);
    return found->second;
  };
  for (const PairRow& row : rows) {
    OrpoPair pair{encode(row.prompt, row.chosen), encode(row.prompt, row.rejected)};
    if (row.chosen == row.rejected) {
      ++set.equal_texts;
    } else if (!prompts_agree(pair)) {
      ++set.prompts_differ;
    } else if (row.is_dev && !all_have_tokens(pair)) {
      ++set.empty_texts;
    } else if (row.is_dev && std::ssize(set.dev) >= stage.max_dev_pairs) {
      ++set.dev_over_limit;
    } else {
      if (all_have_tokens(pair)) {
        const OrpoPair whole = pair;
        truncate_orpo_pair(pair, limits);
        set.truncated += pair.chosen != whole.chosen || pair.rejected != whole.rejected ? 1 : 0;
      } else {
        ++set.empty_texts;
        set.without_tokens.push_back(std::ssize(set.train));
      }
      (row.is_dev ? set.dev : set.train).push_back(std::move(pair));
      if (row.is_dev) continue;
      set.prompt_of.push_back(prompts.try_emplace(row.prompt, std::ssize(prompts)).first->second);
    }
  }
  return set;
}

/// The pairs of a file as texts.
std::vector<PairRow> text_rows(const std::filesystem::path& file, const OrpoStage& stage,
                               const ChatTemplate& chat_template) {
  const FileOrigin origin = stage.uses_ranked_pairs() ? FileOrigin::kOwn : FileOrigin::kInput;
  std::vector<PairRow> pairs = read_as(origin, [&] { return read_pairs(file); });
  for (PairRow& row : pairs) {
    row = at_row([&] { return concat(file.string(), ": line ", row.line); },
                 [&] { return as_texts(row, chat_template); });
  }
  return pairs;
}

/// The pairs of a file. Throws DataError where none is left to train on.
PairSet read_pair_set(const std::filesystem::path& file, const OrpoStage& stage,
                      const PretrainedModel& model, const ChatTemplate& chat_template) {
  PairSet set = encode_pairs(text_rows(file, stage, chat_template), stage, model);
  XKDE_CHECK(set.num_trained() > 0, DataError, file.string(),
             ": expected at least one pair to train on, found none (", set.dev.size(),
             " dev pairs, ", set.equal_texts, " with equal texts, ", set.prompts_differ,
             " with prompts that differ, ", set.empty_texts, " without a token)");
  return set;
}

Json statistics_of(const PairSet& set) {
  return {{"train_pairs", set.num_trained()},
          {"dev_pairs", set.dev.size()},
          {"left_out",
           {{"equal_texts", set.equal_texts},
            {"prompts_differ", set.prompts_differ},
            {"empty_texts", set.empty_texts},
            {"dev_over_limit", set.dev_over_limit}}},
          {"truncated_pairs", set.truncated}};
}

class OrpoTask final : public TrainTask {
 public:
  OrpoTask(const OrpoStage& stage, RunContext& context, PairSet set)
      : stage_(stage),
        context_(context),
        set_(std::move(set)),
        sampler_(static_cast<uint64_t>(context.recipe().seed), std::ssize(set_.train),
                 stage.global_batch(context.comm().size()), stage.last_batch == LastBatch::kWrap) {
    if (stage.group_by_prompt) sampler_.keep_together(set_.prompt_of);
    sampler_.leave_out(set_.without_tokens);
    sums_ = no_sums();
  }

  std::string name() const override { return "orpo"; }
  int64_t steps_per_epoch() const override { return sampler_.steps_per_epoch(); }

  TrainStep step(int64_t epoch, int64_t step) override {
    const std::vector<int64_t> batch = sampler_.batch(epoch, step);
    const bool by_micro_batch = stage_.loss_reduction == LossReduction::kMicroBatch;
    TrainStep work;
    work.packs =
        packs_of(set_.train, batch, by_micro_batch ? stage_.per_device_train_batch_size : 0);
    if (stage_.lora && stage_.lora->dropout > 0) {
      for (TrainPack& pack : work.packs) {
        add_dropout_seeds(pack.batch, static_cast<uint64_t>(context_.recipe().seed),
                          epoch * steps_per_epoch() + step);
      }
    }
    work.samples = std::ssize(batch);
    work.tokens = tokens_of(set_.train, batch);
    return work;
  }

  std::vector<TrainPack> dev_packs() override {
    if (set_.dev.empty()) return {};
    std::vector<int64_t> all(set_.dev.size());
    std::iota(all.begin(), all.end(), int64_t{0});
    return packs_of(set_.dev, all, 0);
  }

  at::Tensor take_sums() override { return std::exchange(sums_, no_sums()); }

  void describe(std::span<const double> sums, Json& report) const override {
    const double pairs = sums[kOrpoPairs];
    const auto mean = [&](OrpoSum which) { return sums[which] / pairs; };
    report["pairs"] = pairs;
    report["nll_loss"] = sums[kOrpoNll];
    report["log_odds_ratio"] = mean(kOrpoRatio);
    report["log_odds_chosen"] = mean(kOrpoLogOdds);
    report["rewards/chosen"] = stage_.beta * mean(kOrpoChosen);
    report["rewards/rejected"] = stage_.beta * mean(kOrpoRejected);
    report["rewards/accuracies"] = mean(kOrpoAccuracy);
    report["rewards/margins"] = stage_.beta * (mean(kOrpoChosen) - mean(kOrpoRejected));
    report["logps/chosen"] = mean(kOrpoChosen);
    report["logps/rejected"] = mean(kOrpoRejected);
  }

 private:
  at::Tensor no_sums() const {
    return at::zeros({kOrpoSums}, at::TensorOptions(at::kDouble).device(context_.device()));
  }

  std::vector<TrainPack> packs_of(const std::vector<OrpoPair>& pairs,
                                  const std::vector<int64_t>& batch, int64_t micro_batch) {
    const OrpoBatchOptions options{.micro_batch = micro_batch,
                                   .share_prefixes = stage_.token_tree,
                                   .max_tokens = stage_.max_tokens_per_pack,
                                   .max_prompts = stage_.packing ? 0 : 1,
                                   .device = context_.device()};
    std::vector<TrainPack> packs;
    for (OrpoPack& pack :
         orpo_packs(pairs, batch, options, context_.comm().rank(), context_.comm().size())) {
      const int64_t labels = pack.batch.label_rows.size(0);
      const auto loss = [this, terms = std::move(pack.terms)](const at::Tensor& log_probs) {
        OrpoLoss value = orpo_loss(log_probs, terms, {stage_.beta, stage_.orpo_clamp});
        sums_.add_(value.sums);
        return LabelLoss{value.loss, value.weights};
      };
      packs.push_back({std::move(pack.batch), loss, labels});
    }
    return packs;
  }

  const OrpoStage& stage_;
  RunContext& context_;
  PairSet set_;
  EpochSampler sampler_;
  at::Tensor sums_;
};

}  // namespace

void check_orpo(const OrpoStage& stage, const SurveyInputs& inputs) {
  if (!stage.uses_ranked_pairs())
    read_pair_set(stage.pairs, stage, inputs.model, inputs.chat_template);
}

std::vector<EncodedRow> first_pairs(const OrpoStage& stage, const SurveyInputs& inputs,
                                    int64_t count) {
  std::vector<EncodedRow> first;
  for (PairRow& row : text_rows(stage.pairs, stage, inputs.chat_template)) {
    if (std::ssize(first) == count) break;
    PairSet set = encode_pairs({row}, stage, inputs.model);
    if (set.num_trained() == 1) first.push_back({std::move(row), std::move(set.train.front())});
  }
  return first;
}

void run_orpo(const OrpoStage& stage, const std::filesystem::path& folder, RunContext& context) {
  const std::filesystem::path file = stage.uses_ranked_pairs()
                                         ? context.artifacts().file(ArtifactKind::kPairs)
                                         : std::filesystem::path(stage.pairs);
  PairSet set = read_pair_set(file, stage, context.pretrained(), context.chat_template());
  if (context.is_root()) {
    const Json statistics = statistics_of(set);
    write_file_atomically(folder / kStatisticsFile, statistics.dump(1) + "\n");
    log::info(concat("orpo: ", count_of(set.num_trained(), "training pair"), " of ",
                     count_of(set.prompt_of.empty() ? 0 : set.prompt_of.back() + 1, "prompt"), ", ",
                     count_of(set.dev.size(), "dev pair"), "; left out: ", set.equal_texts,
                     " with equal texts, ", set.prompts_differ, " whose prompts differ, ",
                     set.empty_texts, " with a prompt or an answer without a token, ",
                     count_of(set.dev_over_limit, "dev pair"), " over max_dev_pairs; ",
                     set.truncated, " truncated"));
  }
  const bool has_dev = !set.dev.empty();
  OrpoTask task(stage, context, std::move(set));
  const DevOptions dev{.eval_steps = stage.eval_steps,
                       .patience = stage.early_stopping_patience,
                       .load_best = stage.load_best_model_at_end && stage.eval_steps > 0};
  run_training(task, stage, dev.load_best && has_dev, dev, folder, context);
}

void restore_orpo(const OrpoStage& stage, const std::filesystem::path& folder,
                  RunContext& context) {
  restore_training(folder, stage.load_best_model_at_end, stage.lora, context);
}

}  // namespace xkde::recipe
