#ifndef XKDE_CORE_EVALUATE_RESULTS_RESULT_ROWS_H_
#define XKDE_CORE_EVALUATE_RESULTS_RESULT_ROWS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/io/json_file.h"

namespace xkde {

/// `value` with two decimals, halves to even on the binary double, as Python's round(value, 2).
double round_2(double value);

using LanguagePair = std::pair<std::string, std::string>;  ///< edit, test

/// "en → es"; the second alone where there is no language of edits.
std::string pair_text(const LanguagePair& pair);

/// A metric that is no percentage, and of which less is better.
struct PlainMetric {
  std::string_view name;
  int decimals;
};
/// Null for a percentage.
const PlainMetric* plain_metric(std::string_view metric);
/// How many decimals of a value tables show.
int decimals_of(std::string_view metric);
/// The value as tables show it.
std::string value_text(double value, std::string_view metric);

/// EvalScope::order.
inline constexpr std::string_view kFileOrder = "file", kDrawnOrder = "drawn";

/// What all lines of one size of an evaluation share.
struct EvalScope {
  std::string benchmark;
  std::string phase;   ///< "before" | "after"
  std::string mode;    ///< "single" | "batch" | "sequential"; "choices" | "perplexity"
  int64_t size = 1;    ///< edits that the memory holds; 1 in single mode; 0: no edit is asked
  std::string method;  ///< "xkde", "lte" and so on
  std::string eval_when = {};        ///< of a stream, else empty
  std::optional<int64_t> seed = {};  ///< that drew the records; none: a mean, or nothing is drawn
  int64_t records = 0;               ///< that were edited, in each language pair
  std::string order = {};  ///< of them: "file" | "drawn"; empty: no edit is asked, or not known
  int64_t batch = 0;       ///< edits that are written or remembered at once; 0 as above
  std::optional<int64_t> run_seed = {};  ///< the recipe's, of all else that is random

  /// Whether the rows are about edits, and not about what else the model can do.
  bool asks_edits() const { return size > 0; }
};

/// PublishedValue::mark.
inline constexpr std::string_view kPaperMark = "paper", kQuotedMark = "paper*";

/// What a paper reports for the same benchmark, family of models, method, languages and metric
/// (core/evaluate/published_values.h).
struct PublishedValue {
  double value = 0;
  std::string paper;  ///< "X-KDE, arXiv 2502.14645"
  std::string model;  ///< as the paper names it: "Llama-2-7B-chat"
  std::string mark;   ///< kPaperMark: it says so; kQuotedMark: notes about it do, "*" in tables

  bool operator==(const PublishedValue& other) const = default;
};

/// One row of results.json; `value` is empty when n == 0.
struct ResultRow {
  EvalScope scope;
  std::string edit_language;
  std::string test_language;
  std::string metric;
  std::optional<double> value;  ///< percent, two decimals; of a PlainMetric four decimals
  int64_t n = 0;
  std::optional<double> low = {}, high = {};  ///< 95 % interval of `value`, where it was made
  int64_t num_seeds = 0;              ///< of a mean over seeds: how many have a value; else 0
  std::optional<double> spread = {};  ///< their standard deviation (n - 1), of two seeds at least
  std::vector<PublishedValue> published = {};
};

/// "99.93*", "96.09*, 92.45": as tables show them; empty where there are none.
std::string published_text(const ResultRow& row);
/// What tables say below themselves of the published values of some rows: the papers, each once,
/// and what "*" means. Empty where there are none.
std::string published_note(std::span<const ResultRow* const> rows);
/// "743 in file order", "200 drawn by seed 7", "200 drawn by 3 seeds": what a row is about; empty
/// where that is not known.
std::string records_text(const ResultRow& row);

Json result_json(const ResultRow& row);
Json results_json(const std::vector<ResultRow>& rows);  ///< the whole of results.json
/// The rows of a results.json. Throws DataError "name: row 2: value: expected ..., found ...".
std::vector<ResultRow> parse_results(const Json& json, const std::string& name);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_RESULTS_RESULT_ROWS_H_
