#include "stages/train/orpo_batch.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/nn/device_copy.h"
#include "distributed/sharding/rank_share.h"

namespace xkde::recipe {
namespace {

/// A pair of the batch with its share of the loss.
struct WeightedPair {
  const OrpoPair* pair = nullptr;
  double token_weight = 0.0;  ///< of each token of the chosen sequence in the NLL
  double pair_weight = 0.0;   ///< of the odds-ratio term
};

/// Pairs that have a prompt in common, as it was before it was cut.
struct PromptGroup {
  std::vector<WeightedPair> pairs;
  std::vector<int64_t> key;  ///< ids that sort groups
  int64_t rows = 0;          ///< of the group as a tree, about
};

/// Labels of a sequence without its first token, which nothing predicts.
int64_t labels_of(const OrpoSequence& sequence) {
  return std::ssize(sequence.prompt) + std::ssize(sequence.answer) - 1;
}

std::vector<WeightedPair> weigh(std::span<const OrpoPair> pairs, std::span<const int64_t> batch,
                                int64_t micro_batch) {
  const auto count = std::ssize(batch);
  const int64_t group = micro_batch > 0 ? micro_batch : count;
  const auto groups = static_cast<double>((count + group - 1) / group);
  std::vector<WeightedPair> weighted;
  for (int64_t begin = 0; begin < count; begin += group) {
    const int64_t end = std::min(count, begin + group);
    int64_t labels = 0;
    for (int64_t i = begin; i < end; ++i) {
      labels += labels_of(pairs[static_cast<size_t>(batch[static_cast<size_t>(i)])].chosen);
    }
    for (int64_t i = begin; i < end; ++i) {
      weighted.push_back({&pairs[static_cast<size_t>(batch[static_cast<size_t>(i)])],
                          1.0 / (static_cast<double>(labels) * groups),
                          1.0 / (static_cast<double>(end - begin) * groups)});
    }
  }
  return weighted;
}

/// Groups in the order of their prompts' ids, so that common beginnings meet.
std::vector<PromptGroup> group_by_prompt(const std::vector<WeightedPair>& pairs) {
  std::map<std::vector<int64_t>, PromptGroup> groups;
  for (const WeightedPair& pair : pairs) {
    PromptGroup& group = groups[std::min(pair.pair->chosen.prompt, pair.pair->rejected.prompt)];
    group.pairs.push_back(pair);
  }
  std::vector<PromptGroup> result;
  for (auto& [key, group] : groups) {
    group.key = key;
    std::set<OrpoSequence> distinct;
    for (const WeightedPair& pair : group.pairs) {
      distinct.insert(pair.pair->chosen);
      distinct.insert(pair.pair->rejected);
    }
    group.rows = std::ssize(key);
    for (const OrpoSequence& sequence : distinct) group.rows += std::ssize(sequence.answer);
    result.push_back(std::move(group));
  }
  return result;
}

/// Collects the distinct sequences of a pack and the terms of its loss.
class PackBuilder {
 public:
  explicit PackBuilder(const OrpoBatchOptions& options) : options_(options) {}

  void add(const WeightedPair& pair) {
    const size_t chosen = answer_of(pair.pair->chosen);
    const size_t rejected = answer_of(pair.pair->rejected);
    chosen_.push_back(static_cast<int64_t>(chosen));
    rejected_.push_back(static_cast<int64_t>(rejected));
    pair_weights_.push_back(pair.pair_weight);
    answers_[chosen].weight += pair.token_weight;
    prompts_.at(pair.pair->chosen.prompt).weight += pair.token_weight;
  }

  OrpoPack finish() const {
    std::vector<TreeSequence> sequences;
    for (size_t i = 0; i < answers_.size(); ++i) sequences.push_back(sequence_of(i));
    const PackOptions pack{.share_prefixes = options_.share_prefixes,
                           .max_tokens = std::numeric_limits<int64_t>::max(),
                           .max_sequences = 0,
                           .device = options_.device};
    std::vector<PackedBatch> batches = pack_sequences(sequences, pack);
    XKDE_CHECK(batches.size() == 1, InternalError, "a pack of pairs became ", batches.size());
    OrpoPack result{std::move(batches.front()), {}};
    std::vector<int64_t> owners;
    std::vector<double> weights;
    std::vector<size_t> seen(answers_.size(), 0);
    for (const int64_t index : result.batch.label_sequence) {
      // Labels of one sequence come in the order in which they were given: the prompt's first.
      const auto sequence = static_cast<size_t>(index);
      const TreeSequence& given = sequences[sequence];
      const size_t label = seen[sequence]++;
      const size_t own = answers_[sequence].sequence->answer.size();
      const bool in_answer = label + own >= given.labels.size();
      owners.push_back(in_answer ? index : -1);
      weights.push_back(given.labels[label].weight);
    }
    std::vector<double> lengths;
    for (const Answer& answer : answers_) {
      lengths.push_back(static_cast<double>(answer.sequence->answer.size()));
    }
    result.terms = {.label_answer = to_device(owners, options_.device),
                    .nll_weights = to_device(weights, options_.device),
                    .answer_lengths = to_device(lengths, options_.device),
                    .chosen = to_device(chosen_, options_.device),
                    .rejected = to_device(rejected_, options_.device),
                    .pair_weights = to_device(pair_weights_, options_.device)};
    return result;
  }

 private:
  struct Answer {
    const OrpoSequence* sequence = nullptr;
    double weight = 0.0;  ///< of its tokens in the NLL
  };
  struct Prompt {
    size_t label_owner = 0;  ///< the answer whose sequence carries the prompt's labels
    double weight = 0.0;     ///< of its tokens in the NLL
  };

  size_t answer_of(const OrpoSequence& sequence) {
    const auto [found, is_new] = index_.try_emplace(sequence, answers_.size());
    if (is_new) {
      answers_.push_back({&found->first, 0.0});
      prompts_.try_emplace(sequence.prompt, Prompt{found->second, 0.0});
    }
    return found->second;
  }

  TreeSequence sequence_of(size_t index) const {
    const OrpoSequence& source = *answers_[index].sequence;
    TreeSequence sequence{source.prompt, {}};
    sequence.ids.insert(sequence.ids.end(), source.answer.begin(), std::prev(source.answer.end()));
    const Prompt& prompt = prompts_.at(source.prompt);
    if (prompt.label_owner == index && prompt.weight > 0.0) {
      for (size_t t = 1; t < source.prompt.size(); ++t) {
        sequence.labels.push_back({static_cast<int64_t>(t) - 1, source.prompt[t], prompt.weight});
      }
    }
    const auto first = std::ssize(source.prompt) - 1;
    for (int64_t t = 0; t < std::ssize(source.answer); ++t) {
      sequence.labels.push_back(
          {first + t, source.answer[static_cast<size_t>(t)], answers_[index].weight});
    }
    return sequence;
  }

  const OrpoBatchOptions& options_;
  std::map<OrpoSequence, size_t> index_;
  std::map<std::vector<int64_t>, Prompt> prompts_;
  std::vector<Answer> answers_;
  std::vector<int64_t> chosen_, rejected_;
  std::vector<double> pair_weights_;
};

}  // namespace

std::vector<OrpoPack> orpo_packs(std::span<const OrpoPair> pairs, std::span<const int64_t> batch,
                                 const OrpoBatchOptions& options, int rank, int size) {
  std::vector<PromptGroup> all = group_by_prompt(weigh(pairs, batch, options.micro_batch));
  std::vector<double> costs;
  for (const PromptGroup& group : all) costs.push_back(static_cast<double>(group.rows));
  const std::vector<PromptGroup> groups = dist::share_of_rank(std::move(all), costs, rank, size);
  std::vector<OrpoPack> packs;
  for (size_t next = 0; next < groups.size();) {
    PackBuilder builder(options);
    int64_t rows = 0;
    int64_t prompts = 0;
    do {
      for (const WeightedPair& pair : groups[next].pairs) builder.add(pair);
      rows += groups[next].rows;
      ++prompts;
      ++next;
    } while (next < groups.size() && rows + groups[next].rows <= options.max_tokens &&
             (options.max_prompts == 0 || prompts < options.max_prompts));
    packs.push_back(builder.finish());
  }
  return packs;
}

int64_t tokens_of(std::span<const OrpoPair> pairs, std::span<const int64_t> batch) {
  int64_t tokens = 0;
  for (const int64_t index : batch) {
    const OrpoPair& pair = pairs[static_cast<size_t>(index)];
    tokens += labels_of(pair.chosen) + labels_of(pair.rejected) + 2;
  }
  return tokens;
}

}  // namespace xkde::recipe
