#include "core/generate/generator.h"

#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/golden_models.h"
#include "tests/support/tiny_model.h"

namespace xkde {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

/// The most likely continuation, each token by a forward pass over all before it.
std::vector<int64_t> continue_plainly(const TinyModel& model, std::vector<int64_t> ids,
                                      int64_t count) {
  std::vector<int64_t> answer;
  for (int64_t i = 0; i < count; ++i) {
    const TreeSequence sequence{ids, {}};
    const PackedBatch batch = pack_sequences({&sequence, 1}, {}).front();
    const BlockContext context = model.decoder.context(batch, model.weights[0][0].scalar_type());
    const at::Tensor x = model.decoder.forward(batch.input_ids, context, {.weights = model.give()});
    const at::Tensor logits = model.decoder.logits(x.narrow(0, x.size(0) - 1, 1), model.give());
    answer.push_back(logits.argmax(1).item<int64_t>());
    ids.push_back(answer.back());
  }
  return answer;
}

/// Prompts with common beginnings, of many lengths.
std::vector<GeneratePrompt> some_prompts(size_t count, int64_t vocabulary) {
  std::vector<GeneratePrompt> prompts;
  for (size_t i = 0; i < count; ++i) {
    GeneratePrompt prompt{{5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}, i};
    for (size_t t = 0; t < 1 + i * 3 % 20; ++t) {
      prompt.ids.push_back(static_cast<int64_t>((i / 2 * 7 + t * 5) % vocabulary));
    }
    prompts.push_back(prompt);
  }
  return prompts;
}

GenerateOptions greedy(int64_t max_new_tokens) {
  GenerateOptions options;
  options.sampling.temperature = 0.0;
  options.max_new_tokens = max_new_tokens;
  return options;
}

std::vector<std::vector<std::vector<int64_t>>> ids_of(
    const std::vector<std::vector<GeneratedAnswer>>& answers) {
  std::vector<std::vector<std::vector<int64_t>>> ids;
  for (const auto& of_prompt : answers) {
    ids.emplace_back();
    for (const GeneratedAnswer& answer : of_prompt) ids.back().push_back(answer.ids);
  }
  return ids;
}

class GoldenModel : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, GoldenModel, testing::ValuesIn(golden_models()), golden_name);

// Prompts and answers are longer than the windows of those that have one. fp64 has the other cache.
TEST_P(GoldenModel, GreedyAnswersAreThoseOfTransformers) {
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    const TinyModel model(GetParam(), dtype);
    const Tokenizer tokenizer = test::byte_tokenizer();
    const Json cases = read_json_file(golden_folder(GetParam()) / "greedy.json");
    std::vector<GeneratePrompt> prompts;
    for (const Json& entry : cases) {
      prompts.push_back({entry["prompt"].get<std::vector<int64_t>>(), prompts.size()});
    }

    const auto answers =
        Generator(model.decoder, model.give(), tokenizer, greedy(20)).generate(prompts, 1);

    ASSERT_EQ(answers.size(), 2U);
    for (size_t i = 0; i < cases.size(); ++i) {
      EXPECT_EQ(answers[i].front().ids, cases[i]["answer"].get<std::vector<int64_t>>())
          << dtype << ", case " << i;
    }
  }
}

class EveryModel : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(OneOfEachKind, EveryModel,
                         testing::Values("llama_untied", "llama_tied_head_dim",
                                         "llama_linear_rope_biases", "qwen2_tied",
                                         "qwen3_window_biases", "gemma2", "gemma3",
                                         "phi3_partial_longrope"),
                         golden_name);

TEST_P(EveryModel, GreedyAnswersAreThoseOfAFullForwardPassPerToken) {
  const TinyModel model(GetParam());
  const Tokenizer tokenizer = test::byte_tokenizer();
  GenerateOptions options = greedy(24);
  options.max_sequences = 4;  // so that prompts wait for places
  Generator generator(model.decoder, model.give(), tokenizer, options);
  const auto prompts = some_prompts(9, model.decoder.config().vocab_size);

  const auto answers = generator.generate(prompts, 1);

  ASSERT_EQ(answers.size(), prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(answers[i].front().ids, continue_plainly(model, prompts[i].ids, 24)) << i;
    EXPECT_EQ(answers[i].front().finish_reason, FinishReason::kLength);
  }
  EXPECT_LT(generator.counts().prefilled_tokens, generator.counts().prompt_tokens);
}

TEST_P(EveryModel, Fp64AnswersComeFromTheOtherCacheAndAreTheSame) {
  const TinyModel model(GetParam());
  const TinyModel wide(GetParam(), at::kDouble);
  const Tokenizer tokenizer = test::byte_tokenizer();
  GenerateOptions options;
  options.num_return_sequences = 3;
  options.max_sequences = 7;
  options.max_new_tokens = 12;
  const auto prompts = some_prompts(6, model.decoder.config().vocab_size);

  const auto narrow_answers =
      Generator(model.decoder, model.give(), tokenizer, options).generate(prompts, 3);
  const auto wide_answers =
      Generator(wide.decoder, wide.give(), tokenizer, options).generate(prompts, 3);

  EXPECT_EQ(ids_of(narrow_answers), ids_of(wide_answers));
}

TEST(Generator, AnAnswerEndsWhereNobodyListensAnyMore) {
  const TinyModel model("llama_untied");
  const Tokenizer tokenizer = test::byte_tokenizer();
  GenerateOptions options = greedy(12);
  const auto prompts = some_prompts(1, model.decoder.config().vocab_size);
  const auto whole =
      Generator(model.decoder, model.give(), tokenizer, options).generate(prompts, 1);
  std::vector<std::vector<int64_t>> told;
  options.on_token = [&](const GeneratedAnswer& so_far) {
    told.push_back(so_far.ids);
    return told.size() < 4;
  };

  const auto cut = Generator(model.decoder, model.give(), tokenizer, options).generate(prompts, 1);

  const GeneratedAnswer& answer = cut.front().front();
  EXPECT_EQ(answer.finish_reason, FinishReason::kCancelled);
  EXPECT_EQ(finish_reason_name(answer.finish_reason), "cancelled");
  const std::vector<int64_t>& ids = whole.front().front().ids;
  EXPECT_EQ(answer.ids, std::vector<int64_t>(ids.begin(), ids.begin() + 4));
  EXPECT_EQ(answer.text, tokenizer.decode(answer.ids));
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[0], std::vector<int64_t>(ids.begin(), ids.begin() + 1));
}

TEST(Generator, TheTokenThatEndsAnAnswerIsNotTold) {
  const TinyModel model("llama_untied");
  const Tokenizer tokenizer = test::byte_tokenizer();
  GenerateOptions options = greedy(5);
  int64_t told = 0;
  options.on_token = [&](const GeneratedAnswer&) { return ++told > 0; };
  const auto prompts = some_prompts(1, model.decoder.config().vocab_size);

  const auto answers =
      Generator(model.decoder, model.give(), tokenizer, options).generate(prompts, 1);

  EXPECT_EQ(answers.front().front().ids.size(), 5U);
  EXPECT_EQ(answers.front().front().finish_reason, FinishReason::kLength);
  EXPECT_EQ(told, 4);
}

TEST(Generator, AnAnswerDoesNotDependOnWhatStandsBesideIt) {
  const TinyModel model("llama_untied");
  const Tokenizer tokenizer = test::byte_tokenizer();
  GenerateOptions options;
  options.num_return_sequences = 3;
  options.max_new_tokens = 16;
  options.stop_ids = {7, 21, 40};
  auto prompts = some_prompts(10, model.decoder.config().vocab_size);

  const auto together =
      ids_of(Generator(model.decoder, model.give(), tokenizer, options).generate(prompts, 11));

  options.max_sequences = 5;
  const auto crowded =
      ids_of(Generator(model.decoder, model.give(), tokenizer, options).generate(prompts, 11));
  EXPECT_EQ(together, crowded);
  for (size_t i = 0; i < prompts.size(); ++i) {
    const auto alone = ids_of(
        Generator(model.decoder, model.give(), tokenizer, options).generate({&prompts[i], 1}, 11));
    EXPECT_EQ(alone.front(), together[i]) << i;
  }
  EXPECT_NE(together[0][0], together[0][1]);
}

TEST(Generator, AStopTokenEndsAnAnswerAndIsItsLastId) {
  const TinyModel model("llama_untied");
  const Tokenizer tokenizer = test::byte_tokenizer();
  const auto prompts = some_prompts(4, model.decoder.config().vocab_size);
  const std::vector<int64_t> free_run = continue_plainly(model, prompts[2].ids, 10);
  GenerateOptions options = greedy(10);
  options.stop_ids = {free_run[4]};
  const auto first = std::find(free_run.begin(), free_run.end(), free_run[4]);

  const auto answers =
      Generator(model.decoder, model.give(), tokenizer, options).generate(prompts, 1);

  EXPECT_EQ(answers[2].front().ids, std::vector<int64_t>(free_run.begin(), first + 1));
  EXPECT_EQ(answers[2].front().finish_reason, FinishReason::kStop);
}

TEST(Generator, AStopTextEndsAnAnswerAndIsCutFromItsText) {
  const TinyModel model("llama_untied");
  const Tokenizer tokenizer = test::byte_tokenizer();
  const auto prompts = some_prompts(1, model.decoder.config().vocab_size);
  const std::vector<int64_t> free_run = continue_plainly(model, prompts[0].ids, 10);
  const std::string text = tokenizer.decode(free_run);
  ASSERT_GE(text.size(), 4U);
  GenerateOptions options = greedy(10);
  options.stop_texts = {text.substr(2, 2)};

  const auto answers =
      Generator(model.decoder, model.give(), tokenizer, options).generate(prompts, 1);

  EXPECT_EQ(answers[0].front().text, text.substr(0, text.find(text.substr(2, 2))));
  EXPECT_LT(answers[0].front().ids.size(), free_run.size());
  EXPECT_EQ(answers[0].front().finish_reason, FinishReason::kStop);
}

TEST(Generator, AnAnswerEndsWithTheContext) {
  const TinyModel model("llama_untied");
  const Tokenizer tokenizer = test::byte_tokenizer();
  const int64_t context = model.decoder.config().max_position_embeddings;
  GeneratePrompt prompt;
  prompt.ids.assign(static_cast<size_t>(context - 3), 5);

  const auto answers =
      Generator(model.decoder, model.give(), tokenizer, greedy(50)).generate({&prompt, 1}, 1);

  EXPECT_EQ(answers[0].front().ids.size(), 3U);
  EXPECT_EQ(answers[0].front().finish_reason, FinishReason::kLength);
}

TEST(Generator, RefusesAPromptThatFillsTheContext) {
  const TinyModel model("llama_untied");
  const Tokenizer tokenizer = test::byte_tokenizer();
  const int64_t context = model.decoder.config().max_position_embeddings;
  GeneratePrompt prompt;
  prompt.index = 4;
  prompt.ids.assign(static_cast<size_t>(context), 5);
  Generator generator(model.decoder, model.give(), tokenizer, greedy(1));

  EXPECT_THAT(([&] {
                generator.generate({&prompt, 1}, 1);
              }),
              ThrowsMessage<DataError>(HasSubstr("prompt 4: expected fewer tokens than")));
}

/// A recorder without a device: what was recorded is run again.
class RunAgain final : public WorkRecorder {
 public:
  class Work final : public RecordedWork {
   public:
    Work(std::function<void()> work, int& replays) : work_(std::move(work)), replays_(replays) {}
    void replay() override {
      ++replays_;
      work_();
    }

   private:
    std::function<void()> work_;
    int& replays_;
  };
  std::unique_ptr<RecordedWork> record(const std::function<void()>& work) override {
    ++records;
    work();  // as a warm-up and a capture do
    work();
    return std::make_unique<Work>(work, replays);
  }
  int records = 0;
  int replays = 0;
};

TEST(Generator, RecordedStepsGiveTheSameAnswers) {
  const TinyModel model("llama_untied");
  const Tokenizer tokenizer = test::byte_tokenizer();
  const std::vector<GeneratePrompt> prompts{{{5, 6, 7}, 0}, {{5, 6, 9, 11, 3}, 1}, {{8}, 2}};
  const GenerateOptions options{.sampling = {.temperature = 0.8},
                                .num_return_sequences = 3,
                                .max_new_tokens = 12,
                                .stop_ids = {1, 2, 3},
                                .stop_texts = {},
                                .max_sequences = 6};
  RunAgain recorder;
  Generator plain(model.decoder, model.give(), tokenizer, options);
  Generator recorded(model.decoder, model.give(), tokenizer, options, &recorder);

  const auto expected = plain.generate(prompts, 42);
  const auto got = recorded.generate(prompts, 42);

  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    for (size_t a = 0; a < got[i].size(); ++a) EXPECT_EQ(got[i][a].ids, expected[i][a].ids);
  }
  EXPECT_EQ(recorder.replays, recorded.counts().decode_steps);
  EXPECT_GT(recorder.records, 1);
  EXPECT_LE(recorder.records, 4);  // 1, 2, 4 or 8 rows
}

}  // namespace
}  // namespace xkde
