#ifndef XKDE_CORE_EVALUATE_JUDGE_VERDICT_CACHE_H_
#define XKDE_CORE_EVALUATE_JUDGE_VERDICT_CACHE_H_

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/evaluate/judge/judge_prompt.h"

namespace xkde {

using JudgedQuestion = std::pair<JudgeQuestion, JudgeVerdict>;

/// Verdicts that judges have given, in a folder that evaluations and runs may share, also while
/// they run. Each add() leaves one file, which never changes: a JSON object of verdicts
/// [yes, no] by the SHA-256 of what was asked, named by the SHA-256 of its own bytes.
class VerdictCache {
 public:
  /// Makes the folder where there is none, and reads all its verdicts. A file that is cut short or
  /// damaged is left out with a warning: what it held is asked again. Other files are not looked
  /// at. `fingerprint`: of the judge that is asked. Throws IoError.
  VerdictCache(std::filesystem::path folder, std::string fingerprint);

  /// What this judge said; nothing where it was not asked, or not with this prompt.
  std::optional<JudgeVerdict> find(const JudgeQuestion& question) const;
  /// Keeps verdicts of this judge durably. Throws IoError.
  void add(const std::vector<JudgedQuestion>& verdicts);

 private:
  std::string key_of(const JudgeQuestion& question) const;

  std::filesystem::path folder_;
  std::string fingerprint_;
  std::map<std::string, JudgeVerdict> known_;  ///< of all judges, by key
};

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_JUDGE_VERDICT_CACHE_H_
