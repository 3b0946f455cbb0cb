#include <map>
#include <string>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "core/editing/lookup/codebook.h"
#include "core/editing/lookup/side_memory.h"
#include "core/editing/lookup/ties.h"
#include "core/editing/weight_overlay.h"
#include "core/generate/generator.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/tiny_model.h"

namespace xkde {
namespace {

at::Tensor vector_of(std::vector<float> values) {
  return at::tensor(values, at::TensorOptions().dtype(at::kFloat));
}

const at::Tensor kValue = vector_of({7.0F, 7.0F});

/// The rows of one batch without shared prefixes.
LookupRows rows_of(const std::vector<std::vector<int64_t>>& sequences,
                   const std::vector<int64_t>& prompt_lengths) {
  std::vector<TreeSequence> all;
  for (const std::vector<int64_t>& ids : sequences) all.push_back({ids, {{0, 0, 0.0}}});
  return lookup_rows(pack_sequences(all, {.share_prefixes = false}).front(), prompt_lengths);
}

TEST(LookupRows, TellPromptsFromWhatStandsBehindThem) {
  // Packs sort: the second sequence comes first.
  const LookupRows rows = rows_of({{5, 6, 7}, {5, 6}, {5, 6, 7}}, {2, 2, 3});
  EXPECT_TRUE(at::equal(rows.owner, at::tensor({0, 0, 1, 1, 1, 2, 2, 2}, at::kLong)));
  EXPECT_TRUE(at::equal(rows.ends, at::tensor({1, 3, 7}, at::kLong)));
  EXPECT_TRUE(
      at::equal(rows.is_prompt.to(at::kLong), at::tensor({1, 1, 1, 1, 0, 1, 1, 1}, at::kLong)));
}

TEST(Codebook, KeepsAKeyThatLiesFarFromAllOthersForItself) {
  Codebook book(0, at::kCPU);
  EXPECT_EQ(book.place(vector_of({0.0F, 0.0F}), {1}, 1.0, kValue), 0);
  EXPECT_EQ(book.place(vector_of({3.0F, 0.0F}), {1}, 1.0, kValue), 1);
  EXPECT_EQ(book.radius(0), 1.0);
  EXPECT_EQ(book.radius(1), 1.0);
}

TEST(Codebook, GrowsAnEntryThatAnswersTheSame) {
  Codebook book(0, at::kCPU);
  book.place(vector_of({0.0F, 0.0F}), {1, 2}, 1.0, kValue);
  EXPECT_EQ(book.place(vector_of({1.5F, 0.0F}), {1, 2}, 1.0, kValue), 0);
  EXPECT_EQ(book.size(), 1);
  EXPECT_EQ(book.radius(0), 1.5);
  // Within the radius nothing grows.
  EXPECT_EQ(book.place(vector_of({0.5F, 0.0F}), {1, 2}, 1.0, kValue), 0);
  EXPECT_EQ(book.radius(0), 1.5);
}

TEST(Codebook, DividesTheDistanceBetweenAnswersThatDiffer) {
  Codebook book(0, at::kCPU);
  book.place(vector_of({0.0F, 0.0F}), {1}, 1.0, kValue);
  EXPECT_EQ(book.place(vector_of({1.0F, 0.0F}), {2}, 1.0, kValue), 1);
  EXPECT_NEAR(book.radius(0), 0.5 - 1e-5, 1e-9);
  EXPECT_NEAR(book.radius(1), 0.5, 1e-9);
}

TEST(Codebook, GivesAKeyToTheLastOfItsAnswers) {
  Codebook book(0, at::kCPU);
  book.place(vector_of({0.0F, 0.0F}), {1}, 1.0, kValue);
  EXPECT_EQ(book.place(vector_of({0.0F, 0.0F}), {2}, 1.0, kValue), 0);
  EXPECT_EQ(book.size(), 1);
  EXPECT_EQ(book.place(vector_of({0.0F, 0.0F}), {2}, 1.0, kValue), 0);
}

TEST(Codebook, ReplacesWhatStandsAtPromptsThatItKnows) {
  Codebook book(0, at::kCPU);
  book.place(vector_of({1.0F, 0.0F}), {1}, 0.25, kValue);
  const at::Tensor weight = at::eye(2);
  // Two sequences: the first prompt ends near the key, the second ends elsewhere, and a row behind
  // it lies at the key.
  const LookupRows rows = rows_of({{1, 1}, {2, 2, 2}}, {2, 2});
  const at::Tensor x =
      at::tensor({0.0F, 0.0F, 1.25F, 0.0F, 1.0F, 0.0F, 0.0F, 1.0F, 1.0F, 0.0F}).view({5, 2});
  at::Tensor found;

  const at::Tensor out = book.prompts(x, weight, {}, rows, found);

  EXPECT_TRUE(at::equal(found, at::tensor({0, -1}, at::kLong)));
  at::Tensor expected = x.clone();
  expected[1] = kValue;
  EXPECT_TRUE(at::equal(out, expected));
}

/// As a file gives it back.
std::map<std::string, at::Tensor> in_fp64(std::map<std::string, at::Tensor> state) {
  for (auto& [name, tensor] : state) tensor = tensor.to(at::kDouble);
  return state;
}

TEST(Codebook, IsWhatItWasBehindItsState) {
  Codebook book(0, at::kCPU), other(0, at::kCPU);
  book.place(vector_of({0.0F, 0.0F}), {1}, 1.0, kValue);
  book.place(vector_of({1.0F, 0.1F}), {2, 3}, 1.0, kValue);
  other.restore(in_fp64(book.state()));
  for (const auto& [name, tensor] : book.state()) {
    EXPECT_EQ(other.state().at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(other.state().at(name), tensor)) << name;
  }
  EXPECT_EQ(other.size(), 2);
  EXPECT_EQ(other.radius(0), book.radius(0));
  // It knows the targets: the same one grows, another one divides.
  EXPECT_EQ(other.place(vector_of({1.75F, 0.0F}), {2, 3}, 1.0, kValue), 1);
  other.restore({});
  EXPECT_EQ(other.size(), 0);
}

/// Worked by hand: of four differences two count in each matrix.
TEST(MergeTies, AveragesThoseThatAgreeInSign) {
  const at::Tensor base = vector_of({1.0F, 1.0F, 1.0F, 1.0F});
  const at::Tensor one = base + vector_of({4.0F, -2.0F, 1.0F, 0.5F});   // 4 and -2 count
  const at::Tensor two = base + vector_of({2.0F, 3.0F, 0.5F, -0.25F});  // 2 and 3 count
  const at::Tensor merged = merge_ties(base, {one, two}, 0.5);
  EXPECT_TRUE(at::allclose(merged, base + vector_of({3.0F, 3.0F, 0.0F, 0.0F})));
  EXPECT_TRUE(at::equal(merge_ties(base, {one}, 1.0), one));
}

/// A tiny model, and its down_proj of block 1 with another matrix.
struct TwoModels {
  TwoModels() {
    const c10::AutoGradMode without_graph(false);
    at::set_num_threads(1);  // threads cost more than they give in such small products
    const MatrixPlace place = find_matrix(model.decoder, 1, "down_proj", "x");
    base = model.weights[place.unit][place.parameter].clone();
    grown = base + at::randn(base.sizes(), at::detail::createCPUGenerator(3), at::kFloat) * 0.3;
    other.weights[place.unit][place.parameter].copy_(grown);
  }
  EditableModel editable() const {
    return {.decoder = model.decoder, .tokenizer = tokenizer, .weights = model.give()};
  }
  Tokenizer tokenizer = test::byte_tokenizer();
  TinyModel model{"llama_tied_head_dim"}, other{"llama_tied_head_dim"};
  at::Tensor base, grown;
};

std::vector<std::vector<int64_t>> answers_of(const TinyModel& model, const Tokenizer& tokenizer,
                                             const EditLookup* lookup) {
  std::vector<GeneratePrompt> prompts;
  for (uint64_t i = 0; i < 7; ++i) {
    prompts.push_back({{5, 6, 7}, i});
    for (uint64_t t = 0; t < i; ++t) prompts.back().ids.push_back(static_cast<int64_t>(8 + i + t));
  }
  GenerateOptions options;
  options.sampling.temperature = 0.0;
  options.max_new_tokens = 12;
  options.max_sequences = 3;
  options.lookup = lookup;
  std::vector<std::vector<int64_t>> ids;
  Generator generator(model.decoder, model.give(), tokenizer, options);
  for (const auto& answer : generator.generate(prompts, 1)) ids.push_back(answer.front().ids);
  return ids;
}

TEST(SideMemory, AnswersWithTheMatrixThatIsFarEnough) {
  const TwoModels models;
  const EditableModel editable = models.editable();
  SideMemory memory(editable, 1, models.base, 0.5);
  memory.refresh();
  const auto plain = answers_of(models.model, models.tokenizer, nullptr);
  const auto grown = answers_of(models.other, models.tokenizer, nullptr);
  ASSERT_NE(plain, grown);
  EXPECT_EQ(answers_of(models.model, models.tokenizer, &memory), plain);

  memory.open() = {models.grown, 1e-6};  // every prompt is farther than half of that
  memory.refresh();
  EXPECT_EQ(answers_of(models.model, models.tokenizer, &memory), grown);

  memory.open().least = 1e6;  // none is
  memory.refresh();
  EXPECT_EQ(answers_of(models.model, models.tokenizer, &memory), plain);

  // A closed one answers as it did, and merged with itself it is what it was.
  memory.open().least = 1e-6;
  memory.close();
  memory.refresh();
  EXPECT_EQ(answers_of(models.model, models.tokenizer, &memory), grown);
  memory.open() = {models.grown, 1e-6};
  memory.close();
  memory.merge(2, 1.0);
  memory.refresh();
  EXPECT_EQ(memory.closed(), 1);
  EXPECT_EQ(answers_of(models.model, models.tokenizer, &memory), grown);

  SideMemory restored(editable, 1, models.base, 0.5);
  restored.restore(in_fp64(memory.state()));
  EXPECT_EQ(answers_of(models.model, models.tokenizer, &restored), grown);
}

/// Some prompts take one matrix and some the other, in one batch.
TEST(SideMemory, TellsThePromptsOfABatchApart) {
  const TwoModels models;
  const EditableModel editable = models.editable();
  const auto plain = answers_of(models.model, models.tokenizer, nullptr);
  const auto grown = answers_of(models.other, models.tokenizer, nullptr);
  int64_t seen = 0;
  for (double least = 0.01; least < 100.0 && seen < 2; least *= 1.2) {
    SideMemory memory(editable, 1, models.base, 1.0);
    memory.open() = {models.grown, least};
    memory.refresh();
    const auto found = answers_of(models.model, models.tokenizer, &memory);
    int64_t from_plain = 0, from_grown = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_TRUE(found[i] == plain[i] || found[i] == grown[i]) << "prompt " << i;
      from_plain += found[i] == plain[i] && plain[i] != grown[i] ? 1 : 0;
      from_grown += found[i] == grown[i] && plain[i] != grown[i] ? 1 : 0;
    }
    seen += from_plain > 0 && from_grown > 0 ? 1 : 0;
  }
  EXPECT_GT(seen, 0) << "no threshold lay between the prompts";
}

}  // namespace
}  // namespace xkde
