#include "core/editing/subject_keys.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/byte_tokenizer.h"
#include "tests/support/tiny_model.h"

namespace xkde {
namespace {

/// Requests of upper-case letters, which every tiny model has.
std::vector<EditRequest> many_requests(int64_t count) {
  std::vector<EditRequest> requests;
  for (int64_t i = 0; i < count; ++i) {
    const std::string subject = "T" + std::to_string(i * 37 % 1000);
    requests.push_back({i, "en", "WHO IS " + subject + "?", subject, "NN"});
  }
  return requests;
}

class SubjectRowsTest : public testing::Test {
 protected:
  const Tokenizer tokenizer_ = test::byte_tokenizer();
  const TinyModel model_{"llama_tied_head_dim"};
  const EditableModel editable_{
      .decoder = model_.decoder, .tokenizer = tokenizer_, .weights = model_.give()};
  const std::vector<std::string> contexts_{"{}", "SO. {}"};
  Solo solo_;
};

TEST_F(SubjectRowsTest, AreTheMeanOfEachContextAlone) {
  const std::vector<EditRequest> requests = many_requests(3);
  SubjectRows all(editable_, requests, contexts_, 64, solo_);
  all.advance_to(1);

  at::Tensor mean = at::zeros_like(all.keys());
  for (const std::string& context : contexts_) {
    SubjectRows one(editable_, requests, {context}, 16, solo_);
    one.advance_to(1);
    mean.add_(one.keys() / 2.0);
  }

  EXPECT_TRUE(at::allclose(all.keys(), mean, 1e-5, 1e-6));
  EXPECT_EQ(all.keys().size(1), model_.decoder.config().intermediate_size);
}

TEST_F(SubjectRowsTest, CanCountTheFirstContextAsMuchAsAllOthers) {
  const std::vector<EditRequest> requests = many_requests(2);
  const auto keys_in = [&](const std::vector<std::string>& contexts, SubjectRows::Mean mean) {
    SubjectRows rows(editable_, requests, contexts, 64, solo_);
    rows.advance_to(1);
    return rows.keys(mean);
  };
  const SubjectRows::Mean halves = SubjectRows::Mean::kOfFirstAndOthers;
  const std::vector<std::string> others{"SO. {}", "I SAY. {}", "THEN. {}"};
  const at::Tensor bare = keys_in({"{}"}, SubjectRows::Mean::kOfAll);
  const at::Tensor expected = (bare + keys_in(others, SubjectRows::Mean::kOfAll)) / 2.0;

  EXPECT_TRUE(at::allclose(keys_in({"{}", "SO. {}", "I SAY. {}", "THEN. {}"}, halves), expected,
                           1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(keys_in({"{}"}, halves), bare, 1e-5, 1e-6));
}

TEST_F(SubjectRowsTest, AreTheSameWhereTheirRowsAreNotKept) {
  // One short sequence a pass: more passes than are kept.
  const auto count = static_cast<int64_t>(SubjectRows::kKeptPasses) + 20;
  const std::vector<EditRequest> requests = many_requests(count);
  SubjectRows few(editable_, requests, {"{}"}, 4096, solo_);
  SubjectRows many(editable_, requests, {"{}"}, 1, solo_);

  // Values up to 9, computed in fp32 by products of other sizes.
  const double rounding = 2e-5;
  for (const int64_t layer : {0, 2}) {
    few.advance_to(layer);
    many.advance_to(layer);
    EXPECT_TRUE(at::allclose(many.keys(), few.keys(), 1e-5, rounding)) << layer;
    EXPECT_TRUE(at::allclose(many.outputs(2), few.outputs(2), 1e-5, rounding)) << layer;
  }
}

TEST_F(SubjectRowsTest, FollowWeightsThatChangeOnTheWay) {
  const std::vector<EditRequest> requests = many_requests(4);
  SubjectRows rows(editable_, requests, contexts_, 64, solo_);
  rows.advance_to(0);
  model_.weights[1].back().mul_(1.5);  // down_proj of block 0
  rows.advance_to(1);

  SubjectRows fresh(editable_, requests, contexts_, 64, solo_);
  fresh.advance_to(1);

  EXPECT_TRUE(at::equal(rows.keys(), fresh.keys()));
}

}  // namespace
}  // namespace xkde
