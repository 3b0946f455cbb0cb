#ifndef XKDE_CORE_DATA_PREFERENCE_ROWS_H_
#define XKDE_CORE_DATA_PREFERENCE_ROWS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/data/conversation.h"
#include "core/io/json_file.h"

namespace xkde {

/// A line of samples.jsonl: the answers that the model gave to one prompt.
struct SampledAnswer {
  std::string text;
  std::vector<int64_t> token_ids;
  std::string finish_reason;  ///< "stop" or "length"
};
struct SampleRow {
  std::string id;      ///< of the conversation
  std::string prompt;  ///< as the model read it
  std::string gold;
  std::vector<SampledAnswer> answers;  ///< none: the prompt did not fit into the context
  RowLanguages languages = {};         ///< of the conversation
};
/// Leaves out languages that the id tells.
Json to_json(const SampleRow& row);

/// A line of pairs.jsonl.
struct PairRow {
  std::string id;
  std::string prompt;
  std::string chosen;
  std::string rejected;
  std::optional<double> score_chosen;  ///< null: the gold answer, which nobody scores
  std::optional<double> score_rejected;
  bool is_dev = false;  ///< "split": "dev" or "train"
  int64_t line = 0;     ///< of the file, from 1
  /// TRL's rows of messages: the turns before the answers, which prompt, chosen and rejected are to
  /// be written with. Empty: these are texts as they are.
  std::vector<ChatMessage> turns = {};
};
Json to_json(const PairRow& row);
/// A pair of messages as `chat_template` writes it, as TRL does: the prompt up to the answer, and
/// of the finished conversations what stands behind that. A pair of texts stays as it is. Throws
/// DataError for turns in another order, and ConfigError where a template writes an answer
/// otherwise.
PairRow as_texts(const PairRow& row, const ChatTemplate& chat_template);

/// Reads a whole file, whose last line may lack its line feed. A field that is missing or of
/// another kind, a last line that was cut short, and a list in the place of lines are a DataError
/// "file: line 17: answers.0.text: expected a text, found null". Of a pair only prompt, chosen and
/// rejected must be there: texts, or lists of messages, of which chosen and rejected may hold the
/// whole conversation where there is no prompt. A key of a pair that is not known is an error.
/// Throws MissingInputError.
std::vector<SampleRow> read_samples(const std::filesystem::path& path);
std::vector<PairRow> read_pairs(const std::filesystem::path& path);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_PREFERENCE_ROWS_H_
