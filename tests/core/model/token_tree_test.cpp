#include "core/model/token_tree.h"

#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

TreeSequence sequence(std::vector<int64_t> ids) {
  TreeSequence result{std::move(ids), {}};
  const auto last = static_cast<int64_t>(result.ids.size()) - 1;
  result.labels.push_back({last, 100 + result.ids.back(), 0.5});
  return result;
}

std::vector<int64_t> values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  const int64_t* data = flat.const_data_ptr<int64_t>();
  return {data, data + flat.numel()};
}

/// The ids that row `row` of a batch sees, in order: what the model reads there.
std::vector<int64_t> visible_ids(const PackedBatch& batch, int64_t row) {
  int64_t begin = 0;
  for (const AttentionSegment& segment : batch.segments) {
    if (row < begin + segment.length) {
      std::vector<int64_t> ids;
      const at::Tensor mask = segment.nodes.empty() ? at::Tensor() : tree_mask(segment.nodes);
      for (int64_t column = 0; column < segment.length; ++column) {
        const bool sees =
            mask.defined() ? mask[row - begin][column].item<bool>() : column <= row - begin;
        if (sees) ids.push_back(batch.input_ids[begin + column].item<int64_t>());
      }
      return ids;
    }
    begin += segment.length;
  }
  return {};
}

const std::vector<TreeSequence> kFamily = {sequence({1, 2, 3, 4}), sequence({1, 2, 5}),
                                           sequence({1, 2, 3, 6, 7}), sequence({9, 9})};

TEST(TokenTree, SharesEveryCommonPrefixOnce) {
  const auto batches = pack_sequences(kFamily, {});

  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(values(batches[0].input_ids), (std::vector<int64_t>{1, 2, 3, 4, 6, 7, 5, 9, 9}));
  EXPECT_EQ(values(batches[0].positions), (std::vector<int64_t>{0, 1, 2, 3, 3, 4, 2, 0, 1}));
  EXPECT_EQ(batches[0].sequence_tokens, 14);
  ASSERT_EQ(batches[0].segments.size(), 2U);
  EXPECT_TRUE(batches[0].segments[1].nodes.empty());
}

TEST(TokenTree, NodesAreTheLongestRunsWithoutABranch) {
  const auto batches = pack_sequences(kFamily, {});

  // 1 2 | 3 (4 | 6 7) | 5
  std::vector<std::pair<int64_t, int64_t>> nodes;
  for (const TreeNode& node : batches.at(0).segments.at(0).nodes) {
    nodes.emplace_back(node.length, node.parent);
  }
  EXPECT_EQ(nodes,
            (std::vector<std::pair<int64_t, int64_t>>{{2, -1}, {1, 0}, {1, 1}, {2, 1}, {1, 0}}));
}

TEST(TokenTree, EveryLabelSeesExactlyItsOwnSequence) {
  for (const bool share : {true, false}) {
    const auto batches = pack_sequences(kFamily, {.share_prefixes = share});

    const PackedBatch& batch = batches.at(0);
    ASSERT_EQ(batch.label_sequence.size(), kFamily.size());
    for (size_t i = 0; i < batch.label_sequence.size(); ++i) {
      const TreeSequence& owner = kFamily[static_cast<size_t>(batch.label_sequence[i])];
      const int64_t row = values(batch.label_rows)[i];
      EXPECT_EQ(visible_ids(batch, row), owner.ids);
      EXPECT_EQ(values(batch.label_targets)[i], 100 + owner.ids.back());
    }
  }
}

TEST(TokenTree, WithoutSharingEverySequenceHasItsOwnRows) {
  const auto batches = pack_sequences(kFamily, {.share_prefixes = false});

  EXPECT_EQ(batches.at(0).num_tokens(), 14);
  EXPECT_EQ(batches.at(0).segments.size(), 4U);
}

TEST(TokenTree, EqualSequencesShareAllRowsAndKeepTheirLabels) {
  const std::vector<TreeSequence> twins = {sequence({1, 2}), sequence({1, 2})};

  const auto batches = pack_sequences(twins, {});

  EXPECT_EQ(batches.at(0).num_tokens(), 2);
  EXPECT_EQ(values(batches.at(0).label_rows), (std::vector<int64_t>{1, 1}));
}

TEST(TokenTree, KeepsToTheTokenBudget) {
  std::vector<TreeSequence> many;
  for (int64_t i = 0; i < 40; ++i) many.push_back(sequence({i, i, i, i, i}));
  many.push_back(sequence(std::vector<int64_t>(30, 99)));

  const auto batches = pack_sequences(many, {.max_tokens = 12});

  int64_t labels = 0;
  for (const PackedBatch& batch : batches) {
    EXPECT_TRUE(batch.num_tokens() <= 12 || batch.label_sequence.size() == 1U);
    labels += static_cast<int64_t>(batch.label_sequence.size());
  }
  EXPECT_EQ(labels, 41);
}

TEST(TokenTree, KeepsToTheSequenceLimit) {
  const auto batches = pack_sequences(kFamily, {.share_prefixes = false, .max_sequences = 1});

  EXPECT_EQ(batches.size(), kFamily.size());
}

TEST(TokenTree, OneCommonTokenIsComputedOnce) {
  std::vector<int64_t> left(100, 5), right(100, 7);
  left[0] = right[0] = 1;

  const auto batches =
      pack_sequences(std::vector<TreeSequence>{sequence(left), sequence(right)}, {});

  EXPECT_EQ(batches.at(0).segments.size(), 1U);
  EXPECT_EQ(batches.at(0).num_tokens(), 199);
}

}  // namespace
}  // namespace xkde
