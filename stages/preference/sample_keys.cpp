#include "stages/preference/sample_keys.h"

#include "core/data/conversation.h"
#include "stages/recipe/slice_key.h"

namespace xkde::recipe {
namespace {

constexpr Condition<double> kTopP{"a number in (0, 1]",
                                  {.least = 0, .most = 1, .is_open_below = true}};
constexpr Condition<int64_t> kAnswers{"an integer from 1 to 1024", {.least = 1, .most = 1024}};
constexpr ForeignKeys kForeignSampleKeys[] = {
    {"n num_samples num_generations", "did you mean 'num_return_sequences'?"},
    {"max_tokens max_length max_new_token", "did you mean 'max_new_tokens'?"},
    {"stop_strings stop_sequences", "did you mean 'stop'?"},
    {"do_sample", "temperature: 0 takes the most probable token, others sample"},
};

}  // namespace

void SampleStage::each_key(StrictMap map) {
  map.path_or_name("train_data", train_data);
  map.optional("records", records, kSlice);
  map.optional("num_return_sequences", num_return_sequences, kAnswers);
  map.optional("temperature", temperature, kNotNegativeNumber);
  map.optional("top_k", top_k, kNotNegative);
  map.optional("top_p", top_p, kTopP);
  map.optional("max_new_tokens", max_new_tokens, kPositive);
  // A list in a recipe is never empty.
  map.written_if(!stop.empty(), "stop", stop);
  map.optional("prompt_format", prompt_format, kPromptFormats);
  map.optional("max_sequences", max_sequences, kPositive);
  map.optional("max_tokens_per_batch", max_tokens_per_batch, kPositive);
  map.optional("prompts_per_chunk", prompts_per_chunk, kPositive);
  map.refuse_foreign(kForeignSampleKeys);
  map.done();
}

void SampleStage::check_inputs(InputChecker& inputs) const {
  if (uses_built_data()) return;
  if (inputs.opens("train_data", train_data, "build_data or a training file"))
    inputs.reads("train_data", [&] { inputs.files().conversations(train_data); });
}

std::set<std::filesystem::path> SampleStage::files() const {
  if (uses_built_data()) return {};
  return {train_data};
}

std::optional<StageSource> SampleStage::source() const {
  if (!uses_built_data()) return std::nullopt;
  return StageSource{"train_data", kBuiltData};
}

}  // namespace xkde::recipe
