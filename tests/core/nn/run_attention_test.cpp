#include "core/nn/run_attention.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

constexpr int64_t kHeads = 2;
constexpr int64_t kWidth = 6;

/// One query row against the first `count` key rows of its run, head by head.
at::Tensor attended(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                    int64_t begin, int64_t count) {
  std::vector<at::Tensor> heads;
  for (int64_t head = 0; head < kHeads; ++head) {
    const int64_t size = kWidth / kHeads;
    const auto part = [&](const at::Tensor& rows) {
      return rows.narrow(0, begin, count).narrow(1, head * size, size);
    };
    const at::Tensor scores =
        part(key).mv(query.narrow(0, head * size, size)) / std::sqrt(static_cast<double>(size));
    heads.push_back(part(value).t().mv(at::softmax(scores, 0)));
  }
  return at::cat(heads);
}

TEST(RunAttention, EachRunSeesItsOwnKeysOnly) {
  at::manual_seed(1);
  const at::Tensor query = at::randn({5, kWidth});
  const at::Tensor kv = at::randn({7, 2 * kWidth});  // keys and values side by side: strided rows
  const at::Tensor key = kv.narrow(1, 0, kWidth);
  const at::Tensor value = kv.narrow(1, kWidth, kWidth);
  const std::vector<AttentionRun> runs = {{0, 2, 4, 3}, {2, 3, 0, 4}};

  const at::Tensor out = run_attention(query, key, value, kHeads, runs, /*causal=*/false);

  for (int64_t row = 0; row < 5; ++row) {
    const AttentionRun& run = runs[row < 2 ? 0 : 1];
    const at::Tensor expected = attended(query[row], key, value, run.key_begin, run.key_length);
    EXPECT_LT((out[row] - expected).abs().max().item<float>(), 1e-5F) << row;
  }
}

TEST(RunAttention, CausalRowsSeeNothingBehindThem) {
  at::manual_seed(2);
  const at::Tensor query = at::randn({5, kWidth});
  const at::Tensor key = at::randn({5, kWidth});
  const at::Tensor value = at::randn({5, kWidth});
  const std::vector<AttentionRun> runs = self_runs({2, 3});

  const at::Tensor out = run_attention(query, key, value, kHeads, runs, /*causal=*/true);

  for (int64_t row = 0; row < 5; ++row) {
    const int64_t begin = row < 2 ? 0 : 2;
    const at::Tensor expected = attended(query[row], key, value, begin, row - begin + 1);
    EXPECT_LT((out[row] - expected).abs().max().item<float>(), 1e-5F) << row;
  }
}

TEST(RunAttention, ABiasIsAddedToEachRunsScores) {
  at::manual_seed(3);
  const at::Tensor query = at::randn({5, kWidth});
  const at::Tensor key = at::randn({5, kWidth});
  const at::Tensor value = at::randn({5, kWidth});
  const std::vector<AttentionRun> runs = self_runs({2, 3});
  // Of more rows than any run, and such that it hides what lies behind a row.
  const at::Tensor bias = at::full({kHeads, 4, 4}, -1e9).triu(1);

  const at::Tensor out = run_attention(query, key, value, kHeads, runs, /*causal=*/false, bias);

  const at::Tensor expected = run_attention(query, key, value, kHeads, runs, /*causal=*/true);
  EXPECT_LT((out - expected).abs().max().item<float>(), 1e-5F);
}

}  // namespace
}  // namespace xkde
