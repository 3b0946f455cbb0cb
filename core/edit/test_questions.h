#ifndef XKDE_CORE_EDIT_TEST_QUESTIONS_H_
#define XKDE_CORE_EDIT_TEST_QUESTIONS_H_

#include <string>
#include <string_view>
#include <unordered_set>

#include "core/base/named.h"
#include "core/data/edit_record.h"

namespace xkde {

/// Whether the "nq question: " before an English `loc` is shown to the model (Q16).
enum class NqPrefix { kKeep, kCut };
inline constexpr Named<NqPrefix> kNqPrefixNames[] = {{"keep", NqPrefix::kKeep},
                                                     {"cut", NqPrefix::kCut}};
/// `question` without the "nq question: " with which the benchmarks begin an English `loc`.
std::string_view without_nq_prefix(std::string_view question);

/// Every question that a benchmark asks, in any language, so that none of them is trained on. Two
/// questions are one when they agree but for outer blanks, "nq question: " and
/// the spelling of accents (NFC).
class TestQuestions {
 public:
  void add(const EditRecord& record);
  bool contains(std::string_view question) const;
  size_t size() const noexcept { return questions_.size(); }

 private:
  void add(std::string_view question);
  std::unordered_set<std::string> questions_;
};

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_TEST_QUESTIONS_H_
