#ifndef XKDE_CORE_DATA_BENCHMARKS_KNOWEDIT_H_
#define XKDE_CORE_DATA_BENCHMARKS_KNOWEDIT_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// The sets of KnowEdit (protocol 1.3), all in English.
enum class KnowEditSet { kZsre, kWikibio, kRecent, kCounterfact };
/// "zsre", "wikibio", "recent", "counterfact".
bool is_knowedit_name(std::string_view name);
/// Throws ConfigError listing the known names.
KnowEditSet knowedit_from_name(std::string_view name);

/// The lists of probes that a record may have, in the order in which they are kept.
enum class ProbeKind {
  kReasoning,
  kSubjectAliasing,
  kLogicalGeneralization,
  kRelationSpecificity,
  kForgetfulness
};
/// As the files have it: "Reasoning", "Subject_Aliasing" and so on.
std::string_view probe_kind_name(ProbeKind kind);

/// A question about one edit. An answer is any of its aliases; there is at least one answer, each
/// has at least one alias, and none is empty.
struct KnowEditProbe {
  ProbeKind kind{};
  std::string prompt;
  std::vector<std::vector<std::string>> answers;
  int64_t position = 0;  ///< in the file's list of this kind
  std::string first_answer =
      {};  ///< the file's first answer, first alias; empty where it is blank there
};

/// One edit, texts exactly as in the file (outer blanks kept).
struct KnowEditRecord {
  int64_t index = 0;                       ///< position in the file, from 0
  std::string subject;                     ///< of WikiBio: concept
  std::string prompt;                      ///< of WikiBio: text
  std::string target;                      ///< target_new; of WikiBio: labels
  std::string rephrase;                    ///< rephrase_prompt; empty when there is none
  std::vector<std::string> old_answers;    ///< ground_truth; empty where unknown
  std::vector<KnowEditProbe> portability;  ///< in the order of ProbeKind
  std::vector<KnowEditProbe> locality;     ///< in the order of ProbeKind
};

struct KnowEditDataset {
  std::vector<KnowEditRecord> records;  ///< every row of the file
  std::map<std::string, int64_t> used;  ///< "rows" and each kind of probe -> how many are there
  /// What the file leaves empty, by reason -> how many: "portability: empty",
  /// "locality.Forgetfulness: empty", "locality.Forgetfulness: empty answer",
  /// "locality.Forgetfulness: no answer" (the probe is left out), "ground_truth: empty answer",
  /// "portability.Other: unknown kind" (its list is passed over).
  std::map<std::string, int64_t> skipped;
  std::filesystem::path file;
};

enum class KnowEditSplit { kTrain, kTest };

/// The file of a set: `data` itself, or in the folder `data` (in it, or in its subfolder of that
/// set or split) the split's file by its published name or the name of a part of it. Throws
/// MissingInputError with the names that were looked for, or DataError when several fit.
std::filesystem::path find_knowedit_file(KnowEditSet set, const std::filesystem::path& data,
                                         KnowEditSplit split);

/// Reads a file that find_knowedit_file gives. Answers come as a text, as a list of texts (each an
/// answer) or as a list of lists of aliases. Throws MissingInputError or DataError
/// "file: row 17: portability.Reasoning[0].prompt: expected a non-empty string, found null".
KnowEditDataset read_knowedit(KnowEditSet set, const std::filesystem::path& file);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_KNOWEDIT_H_
