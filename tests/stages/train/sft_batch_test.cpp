#include "stages/train/sft_batch.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace xkde::recipe {
namespace {

SftSample sample(std::vector<int64_t> ids, size_t prompt) {
  SftSample result{std::move(ids), {}};
  result.trained.assign(result.ids.size(), 1);
  std::fill_n(result.trained.begin(), prompt, uint8_t{0});
  return result;
}

const std::vector<SftSample> kSamples = {sample({1, 2, 3, 4}, 2), sample({1, 2, 9}, 2),
                                         sample({5, 6, 7, 8, 9}, 1)};
const std::vector<int64_t> kBatch = {2, 0, 1};

double total_weight(const std::vector<TreeSequence>& sequences) {
  double sum = 0;
  for (const TreeSequence& s : sequences) {
    for (const LabelledToken& label : s.labels) sum += label.weight;
  }
  return sum;
}

TEST(TrainBatch, TheTokenBeforeATargetPredictsIt) {
  const auto sequences = weighted_sequences(kSamples, kBatch, LossReduction::kTokenMean, 1);

  ASSERT_EQ(sequences.size(), 3U);
  EXPECT_EQ(sequences[1].ids, (std::vector<int64_t>{1, 2, 3}));
  ASSERT_EQ(sequences[1].labels.size(), 2U);
  EXPECT_EQ(sequences[1].labels[0].position, 1);
  EXPECT_EQ(sequences[1].labels[0].target, 3);
  EXPECT_EQ(sequences[1].labels[1].target, 4);
}

TEST(TrainBatch, TokenMeanWeighsEveryLabelAlike) {
  const auto sequences = weighted_sequences(kSamples, kBatch, LossReduction::kTokenMean, 1);

  EXPECT_NEAR(total_weight(sequences), 1.0, 1e-12);
  EXPECT_DOUBLE_EQ(sequences[0].labels[0].weight, 1.0 / 7);
  EXPECT_DOUBLE_EQ(sequences[2].labels[0].weight, 1.0 / 7);
}

TEST(TrainBatch, MicroBatchWeighsEveryMicroBatchAlike) {
  const auto singles = weighted_sequences(kSamples, kBatch, LossReduction::kMicroBatch, 1);
  const auto pairs = weighted_sequences(kSamples, kBatch, LossReduction::kMicroBatch, 2);

  EXPECT_NEAR(total_weight(singles), 1.0, 1e-12);
  EXPECT_DOUBLE_EQ(singles[0].labels[0].weight, 1.0 / 12);
  EXPECT_DOUBLE_EQ(singles[2].labels[0].weight, 1.0 / 3);
  EXPECT_DOUBLE_EQ(pairs[0].labels[0].weight, 1.0 / 12);
  EXPECT_DOUBLE_EQ(pairs[1].labels[0].weight, 1.0 / 12);
  EXPECT_DOUBLE_EQ(pairs[2].labels[0].weight, 1.0 / 2);
}

TEST(TrainBatch, LabelsOfAllTokensWeighNothingMore) {
  auto sequences = weighted_sequences(kSamples, kBatch, LossReduction::kTokenMean, 1);
  const auto before = sequences;

  label_all_tokens(sequences);

  EXPECT_DOUBLE_EQ(total_weight(sequences), total_weight(before));
  ASSERT_EQ(sequences[1].labels.size(), 3U);  // of ids 1, 2, 3
  EXPECT_EQ(sequences[1].labels[0].position, 0);
  EXPECT_EQ(sequences[1].labels[0].target, 2);
  EXPECT_EQ(sequences[1].labels[0].weight, 0.0);
  EXPECT_EQ(sequences[1].labels[2].target, 4);
  EXPECT_GT(sequences[1].labels[2].weight, 0.0);
}

TEST(TrainBatch, EverySequenceGoesToExactlyOneRank) {
  const auto sequences = weighted_sequences(kSamples, kBatch, LossReduction::kTokenMean, 1);
  for (const int size : {1, 2, 3, 5}) {
    size_t count = 0;
    for (int rank = 0; rank < size; ++rank) {
      count += part_of_rank(sequences, rank, size, true).size();
    }
    EXPECT_EQ(count, sequences.size()) << size;
  }
}

TEST(TrainBatch, CommonPrefixesMeetOnOneRank) {
  const auto sequences = weighted_sequences(kSamples, kBatch, LossReduction::kTokenMean, 1);

  const auto first = part_of_rank(sequences, 0, 2, true);

  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].ids.front(), 1);
  EXPECT_EQ(first[1].ids.front(), 1);
}

}  // namespace
}  // namespace xkde::recipe
