#ifndef XKDE_CORE_GENERATE_GENERATOR_H_
#define XKDE_CORE_GENERATE_GENERATOR_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/generate/sampling.h"
#include "core/generate/work_recorder.h"
#include "core/model/decoder.h"
#include "core/model/edit_lookup.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

struct GeneratedAnswer;

struct GenerateOptions {
  SamplingOptions sampling;
  int64_t num_return_sequences = 1;
  int64_t max_new_tokens = 64;
  int64_t max_length = 0;  ///< of prompt and answer together, at most the context; 0: the context
  std::vector<int64_t> stop_ids;        ///< each ends an answer and is its last id
  std::vector<std::string> stop_texts;  ///< an answer ends with the token that completes one
  int64_t max_sequences = 128;          ///< answers decoded side by side
  int64_t max_tokens_per_batch = 2048;  ///< rows of one prefill
  /// Edits that prompts look up; outlives the generator. With them prompts share no rows, and steps
  /// are not recorded. Null: none.
  const EditLookup* lookup = nullptr;
  /// Told of an answer after each token that does not end it; its `text` is empty yet. Where it
  /// returns false, the answer ends there. Null: nobody listens.
  std::function<bool(const GeneratedAnswer& so_far)> on_token = nullptr;
};

/// A prompt and the number that names its random streams.
struct GeneratePrompt {
  std::vector<int64_t> ids;
  uint64_t index = 0;
};

enum class FinishReason { kStop, kLength, kCancelled };
std::string_view finish_reason_name(FinishReason reason);  ///< "stop", "length", "cancelled"

struct GeneratedAnswer {
  std::vector<int64_t> ids;  ///< with the stop token, if one ended it
  std::string text;          ///< without special tokens, up to a stop text
  FinishReason finish_reason = FinishReason::kLength;
};

/// What generating took, for reports.
struct GenerateCounts {
  int64_t prompt_tokens = 0;     ///< of the prompts laid out one by one
  int64_t prefilled_tokens = 0;  ///< rows that were really computed for them
  int64_t new_tokens = 0;
  int64_t decode_steps = 0;
};

/// Answers by a decoder. Prompts are computed as token trees, each once for its answers; a finished
/// answer leaves the batch at once, and the next prompts come in as soon as enough places are free.
/// What happens follows from the call's own prompts and the options alone. An answer's random
/// numbers follow from (seed, prompt index, answer's number); its logits are those of the prompt
/// and answer by themselves, up to the rounding of matrix products of another number of rows.
class Generator {
 public:
  /// `weights` gives parameters in the dtype and on the device of the computation.
  /// All arguments but the options outlive the generator. With a recorder each decoding step is
  /// recorded once for each power of two of answers, then replayed; `weights` gives the same places
  /// each time.
  Generator(const Decoder& decoder, UnitWeights weights, const Tokenizer& tokenizer,
            GenerateOptions options, WorkRecorder* recorder = nullptr);

  /// The answers of each prompt. An answer ends at the latest where max_length or the model's
  /// context does. Throws DataError for an empty prompt and for one that leaves no place there.
  std::vector<std::vector<GeneratedAnswer>> generate(std::span<const GeneratePrompt> prompts,
                                                     uint64_t seed);
  const GenerateCounts& counts() const noexcept { return counts_; }  ///< of all calls

 private:
  class Run;
  const Decoder& decoder_;
  UnitWeights weights_;
  const Tokenizer& tokenizer_;
  GenerateOptions options_;
  WorkRecorder* recorder_;
  GenerateCounts counts_;
};

}  // namespace xkde

#endif  // XKDE_CORE_GENERATE_GENERATOR_H_
