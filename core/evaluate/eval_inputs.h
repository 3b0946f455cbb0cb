#ifndef XKDE_CORE_EVALUATE_EVAL_INPUTS_H_
#define XKDE_CORE_EVALUATE_EVAL_INPUTS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/edit/edit_questions.h"
#include "core/evaluate/eval_options.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// Edits that come one after another into one memory.
struct EvalStream {
  std::vector<EvalEdit> edits;
  std::vector<size_t> pairs;  ///< of each edit: index in EvalInputs::pairs
};

/// The edits of an evaluation and the questions about them, read from its files.
struct EvalInputs {
  std::vector<LanguagePair> pairs;  ///< codes as the recipe writes them; edit languages outermost
  std::vector<int64_t> seeds;  ///< of each pair, all pairs of a seed together; empty: none draws
  std::vector<EvalStream> streams;         ///< of each pair, or of each test language
  std::map<std::string, int64_t> used;     ///< "edits" and each kind of question -> how many
  std::map<std::string, int64_t> skipped;  ///< reason -> how many, e.g. "no language tr"

  std::vector<int64_t> edits_of_stream() const;
};

/// `files` keeps what is read. Throws MissingInputError, DataError or ConfigError, also where no
/// edit is left, where a sample is larger than the records at hand, or where no row allows a probe
/// that is asked for. Prefixes are not cut yet.
EvalInputs read_eval_inputs(const EvalOptions& options, LoadedData& files);

/// How long the text of the probes "prefix" and "distance" is, in tokens of the model.
inline constexpr int64_t kPrefixTokens = 50;
/// The longest piece of `passage` that is exactly `tokens` tokens on its own, as near to its
/// beginning as there is one; it ends with a whole character and begins with a whole word where
/// words are parted by blanks. Throws ConfigError where there is none.
std::string piece_of_tokens(std::string_view passage, int64_t tokens, const Tokenizer& tokenizer);
/// Cuts what stands before the questions of the probes "prefix" and "distance" to kPrefixTokens.
void cut_prefixes(EvalInputs& inputs, const Tokenizer& tokenizer);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_EVAL_INPUTS_H_
