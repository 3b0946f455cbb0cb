#ifndef XKDE_CORE_EVALUATE_PUBLISHED_VALUES_H_
#define XKDE_CORE_EVALUATE_PUBLISHED_VALUES_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/evaluate/eval_options.h"
#include "core/evaluate/results/result_rows.h"
#include "core/model/families/model_config.h"

namespace xkde {

/// Models that papers report values of, as far as a config tells them apart. Chat models have the
/// config of what they were trained from.
enum class PublishedFamily { kLlama7b, kLlama2_7b, kChineseLlama2_7b };

/// The family of a model: of type llama, with 32 layers of width 4,096 and 11,008. A vocabulary of
/// 32,000 is LLaMA's where its context has 2,048 tokens and Llama-2's where it has 4,096; one of
/// 55,296 with 4,096 is Chinese-LLaMA-2's. Nothing for any other model.
std::optional<PublishedFamily> published_family(const ModelConfig& config);

/// A line of a table of a paper. Each text is one word, which is that of all values, or one for
/// each value, parted by blanks.
struct PublishedSeries {
  static constexpr size_t kMost = 12;
  std::string_view methods, metrics;  ///< as rows of results.json name them
  std::string_view edits, tests;      ///< languages by their ISO codes
  std::array<double, kMost> values;
};

/// A table of a paper.
struct PublishedTable {
  std::string_view paper, model, mark;  ///< as PublishedValue has them
  std::span<const PublishedFamily> families;
  std::string_view benchmark;
  std::optional<Scoring>
      scoring;         ///< of its token accuracies; nothing: it does not say, or has none
  int64_t memory = 1;  ///< facts that one was found among; 1: single edits, with the fact given
  std::span<const PublishedSeries> series;
};

/// All that is known (protocol 8), of methods that rows can have.
std::span<const PublishedTable> published_tables();

/// What papers report in the cell of `row`, in the order of the tables. Nothing for a model of no
/// family. Single edits are those of mode single and of batches of one. F1 is that of `squared`
/// (Q21), and KnowEdit's averages are EasyEdit's (Q27). After training only X-KDE and LTE have
/// values: the others are reported of a model as it was released.
std::vector<PublishedValue> published_values(const ResultRow& row, const EvalOptions& options,
                                             std::optional<PublishedFamily> family);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_PUBLISHED_VALUES_H_
