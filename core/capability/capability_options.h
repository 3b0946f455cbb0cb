#ifndef XKDE_CORE_CAPABILITY_CAPABILITY_OPTIONS_H_
#define XKDE_CORE_CAPABILITY_CAPABILITY_OPTIONS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/named.h"

namespace xkde {

/// The language of what nobody gives one (ISO 639: undetermined).
inline constexpr const char* kUnknownLanguage = "und";

/// What one document of a text file is.
enum class DocumentUnit { kLines, kFile };
inline constexpr Named<DocumentUnit> kDocumentUnitNames[] = {{"lines", DocumentUnit::kLines},
                                                             {"file", DocumentUnit::kFile}};

/// A plain text file whose perplexity is asked.
struct TextSource {
  std::filesystem::path data;
  std::string name;  ///< in results
  std::string lang = kUnknownLanguage;
  DocumentUnit documents = DocumentUnit::kLines;
};

/// A file of questions with choices (choice_rows.h).
struct ChoiceSource {
  std::filesystem::path data;
  std::string name;                     ///< in results
  std::string lang = kUnknownLanguage;  ///< of rows that say none
  std::string target_delimiter = " ";   ///< between context and choice, as lm-eval's
};

/// What a capability stage asks of a model (protocol 6.9).
struct CapabilityOptions {
  std::vector<TextSource> perplexity;
  std::vector<ChoiceSource> choices;
  bool add_special_tokens = true;  ///< those that the tokenizer begins a text with, before contexts
  int64_t max_length = 0;          ///< tokens that the model sees at once; 0: its context
  int64_t bootstrap_resamples = 1000;  ///< of the 95 % intervals; 0 makes none; our choice
};

}  // namespace xkde

#endif  // XKDE_CORE_CAPABILITY_CAPABILITY_OPTIONS_H_
