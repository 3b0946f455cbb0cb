// Golden ids: tests/golden/make_eval_sequences.py.
#include <gtest/gtest.h>

#include "core/data/sft_sample.h"
#include "core/edit/scored_sequence.h"
#include "core/io/gguf.h"
#include "core/io/json_file.h"
#include "tests/support/shared_folder.h"

namespace xkde {
namespace {

using Ids = std::vector<int64_t>;

TEST(EvalSequences, EqualThoseOfHuggingFaceOnTheRealTokenizer) {
  const std::filesystem::path model = test::model_folder() / "SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!std::filesystem::exists(model)) GTEST_SKIP() << "no model " << model << " (XKDE_MODEL_DIR)";
  const GgufFile file = GgufFile::open(model);
  const Tokenizer tokenizer = Tokenizer::from_gguf(file);
  const ChatTemplate chat = ChatTemplate::select("auto", file.string("tokenizer.chat_template"));

  for (const Json& golden : read_json_file(XKDE_SOURCE_DIR "/tests/golden/eval_sequences.json")) {
    const auto user = golden["user"].get<std::string>();
    const auto target = golden["target"].get<std::string>();

    const ScoredSequence scored = scored_sequence(tokenizer, chat, user, target);
    const SftSample sample = encode_sample(tokenizer, chat, user, target, true);

    EXPECT_EQ(scored.ids, golden["ids"].get<Ids>()) << user;
    EXPECT_EQ(scored.first_prediction, golden["first_prediction"].get<int64_t>()) << user;
    EXPECT_EQ(scored.target_ids, golden["target_ids"].get<Ids>()) << user;
    EXPECT_EQ(sample.ids, golden["sample_ids"].get<Ids>()) << user;
    EXPECT_EQ(sample.num_trained(), static_cast<int64_t>(scored.target_ids.size()) + 1) << user;
  }
}

}  // namespace
}  // namespace xkde
