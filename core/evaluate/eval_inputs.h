#ifndef XKDE_CORE_EVALUATE_EVAL_INPUTS_H_
#define XKDE_CORE_EVALUATE_EVAL_INPUTS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/edit/edit_questions.h"
#include "core/evaluate/eval_options.h"

namespace xkde {

/// Edits that come one after another into one memory.
struct EvalStream {
  std::vector<EvalEdit> edits;
  std::vector<size_t> pairs;  ///< of each edit: index in EvalInputs::pairs
};

/// The edits of an evaluation and the questions about them, read from its files.
struct EvalInputs {
  std::vector<LanguagePair> pairs;  ///< codes as the recipe writes them; edit languages outermost
  std::vector<EvalStream> streams;  ///< of each pair, or of each test language
  std::map<std::string, int64_t> used;     ///< "edits" and each kind of question -> how many
  std::map<std::string, int64_t> skipped;  ///< reason -> how many, e.g. "no language tr"

  std::vector<int64_t> edits_of_stream() const;
};

/// `files` keeps what is read. Throws MissingInputError, DataError or ConfigError, also where no
/// edit is left.
EvalInputs read_eval_inputs(const EvalOptions& options, LoadedData& files);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_EVAL_INPUTS_H_
