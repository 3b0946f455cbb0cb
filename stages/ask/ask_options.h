#ifndef XKDE_STAGES_ASK_ASK_OPTIONS_H_
#define XKDE_STAGES_ASK_ASK_OPTIONS_H_

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace xkde::ask {

/// Which model is asked, and with which facts before it.
struct AskOptions {
  std::filesystem::path recipe;  ///< empty where `model` is given
  std::vector<std::string> overrides;
  std::filesystem::path model;    ///< in place of a recipe
  std::filesystem::path facts;    ///< a file of facts; empty: the edits of the recipe
  std::string fact_language;      ///< in which these are shown; empty: English
  std::string language;           ///< of the questions; empty: the recipe's first test language
  std::filesystem::path memory;   ///< an edit memory to open or make; empty: in memory only
  std::filesystem::path encoder;  ///< empty: that of the recipe's last retriever
  /// Least cosine of a fact that is shown; nothing: that of the recipe's retriever, or none. It
  /// needs an encoder.
  std::optional<double> threshold;
  std::optional<int> k;  ///< facts in a context; nothing: the recipe's retriever's, or 1
  /// Whether files stay as they are: new facts are kept in memory only.
  bool is_read_only = false;
};

}  // namespace xkde::ask

#endif  // XKDE_STAGES_ASK_ASK_OPTIONS_H_
