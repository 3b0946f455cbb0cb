#ifndef XKDE_STAGES_REPORT_SURVIVAL_H_
#define XKDE_STAGES_REPORT_SURVIVAL_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/text_layout.h"
#include "stages/report/run_results.h"

namespace xkde::report {

/// Of questions that an evaluation answered rightly, those that a later one still does.
struct Kept {
  int64_t right = 0;  ///< answered rightly in the earlier evaluation
  int64_t still = 0;  ///< of these, also in the later one

  double percent() const { return 100.0 * static_cast<double>(still) / static_cast<double>(right); }
};

/// Two evaluations of a run that ask the same edits in the same way, with other weights.
struct Survival {
  struct Side {
    std::string stage;  ///< "04-evaluate"
    std::string label;  ///< "XE-IT + Q4_0"
  };
  Side from, to;
  std::string benchmark;
  std::string method;
  std::string mode;  ///< "single", "batch of 10"
  /// "tokens" (all tokens of the answer) and, of free answers, "question exact": the ways of
  /// counting that say right or wrong, in the order of the file.
  std::vector<std::string> measures;
  struct Line {
    LanguagePair pair;
    std::string metric;  ///< "reliability"; locality, where nothing is right or wrong, is none
    std::map<std::string, Kept> kept;  ///< by measure
  };
  std::vector<Line> lines;  ///< in the order of the file

  std::string title() const;  ///< "zsre, single, XE-IT → XE-IT + Q4_0"
};

/// What remains of the edits of a run. Each evaluation is held against the nearest one above it
/// that asks the same in the same way with other weights, and of these one whose weights are not
/// rounded, where there is one. One before all training is held against rounded weights alone.
/// Throws as asked_questions().
std::vector<Survival> survivals(const RunResults& run);

/// "87.50 % of 40"; "0 right" where none was.
std::string kept_text(const Kept& kept);
/// As text for a terminal, without what forgives most (alias, contains); empty for none. Lines take
/// at most `most` columns as those of aligned().
std::string survival_table(std::span<const Survival> all, size_t most = kAnyWidth);
/// One line for each pair, metric and measure (RFC 4180).
std::string survival_csv(std::span<const Survival> all);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_SURVIVAL_H_
