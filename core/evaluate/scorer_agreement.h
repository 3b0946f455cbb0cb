#ifndef XKDE_CORE_EVALUATE_SCORER_AGREEMENT_H_
#define XKDE_CORE_EVALUATE_SCORER_AGREEMENT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "core/evaluate/judge/labelled_rows.h"
#include "core/evaluate/score_answers.h"
#include "core/io/json_file.h"
#include "core/metrics/binary_agreement.h"
#include "core/text/text_layout.h"

namespace xkde {

/// A score of at least this says "right", one below it "wrong".
inline constexpr double kRightFrom = 0.5;

/// How far two scorers of free answers say the same in one context.
struct ScorerAgreement {
  std::string context, first, second;  ///< names as in result rows; `first` stands before `second`
  BinaryAgreement counts;
};
/// How far a judge says what people said of labelled rows, who come first.
struct LabelAgreement {
  std::string language;  ///< "all", or one
  BinaryAgreement counts;
};

/// What statistics.json says of agreement.
struct AgreementReport {
  std::vector<ScorerAgreement> scorers;
  std::vector<LabelAgreement> labelled;
};

/// Each context with each pair of scorers that `options` ask for, the judge last; that of fact
/// checks is none of them. Over all answers but those to questions of locality, of all sizes and
/// language pairs; answers that one of the two did not score are left out.
std::vector<ScorerAgreement> scorer_agreement(const EvalOptions& options,
                                              const ScoredEvaluation& scored);
/// Over all rows, then by language where there are several. Rows without a verdict are left out.
std::vector<LabelAgreement> label_agreement(const std::vector<LabelledRow>& rows,
                                            const JudgeVerdicts& verdicts);

/// A list of objects with all counts, "equal" in percent and "kappa", each with a text in its place
/// where it is not defined.
Json agreement_json(const std::vector<ScorerAgreement>& all);
Json agreement_json(const std::vector<LabelAgreement>& all);
/// Reads both out of a statistics.json; empty where it has none. Throws DataError that begins with
/// `name`.
AgreementReport parse_agreement(const Json& statistics, const std::string& name);

/// A line for each context and scorer, a column for each scorer behind it, cells "87.50 (0.61)":
/// equal verdicts in percent, and kappa. Empty where there are none.
TextGrid agreement_grid(const std::vector<ScorerAgreement>& all);
/// A line for all rows and each language.
TextGrid agreement_grid(const std::vector<LabelAgreement>& all);
/// Both for a terminal, under titles that name the stage; lines take at most `most` columns as
/// those of aligned(). Empty where there is nothing.
std::string agreement_text(const AgreementReport& report, const std::string& stage,
                           size_t most = kAnyWidth);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_SCORER_AGREEMENT_H_
