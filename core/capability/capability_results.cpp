#include "core/capability/capability_results.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <numbers>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/metrics/bootstrap.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

size_t first_largest(const std::vector<double>& values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

/// Halves to even, as round_2().
double round_4(double value) { return std::strtod(fmt::format("{:.4f}", value).c_str(), nullptr); }

/// One document of a text.
struct DocumentScore {
  double nll = 0;  ///< nats
  int64_t tokens = 0;
  int64_t windows = 0;
};

/// How the rows of one language of a file were answered: 0 or 1 each.
struct ChoiceScores {
  std::string language;
  std::array<std::vector<double>, 3> right;
};
constexpr std::array<const char*, 3> kChoiceMetrics{"acc", "acc_norm", "acc_bytes"};

class Counter {
 public:
  Counter(const CapabilityOptions& options, const CapabilityInputs& inputs, std::string phase,
          uint64_t seed)
      : options_(options), inputs_(inputs), phase_(std::move(phase)), seed_(seed) {
    for (const TextDocuments& text : inputs.perplexity) {
      documents_.emplace_back(text.documents.size());
      blank_lines_ += text.blank_lines;
    }
    choices_.resize(inputs.choices.size());
  }

  void add(const CapabilityItem& item, const LogLikelihoods& log_likelihoods) {
    if (item.is_window) {
      DocumentScore& score = documents_[item.file][item.row];
      score.nll -= log_likelihoods.front();
      score.tokens += std::ssize(item.sequences.front().target_ids);
      ++score.windows;
      ++windows_;
      return;
    }
    add_row(item, log_likelihoods);
    cut_contexts_ += item.cut > 0 ? 1 : 0;
    cut_tokens_ += item.cut;
  }

  CapabilityResults finish() {
    for (size_t i = 0; i < documents_.size(); ++i) finish_text(i);
    std::move(of_rows_.begin(), of_rows_.end(), std::back_inserter(results_.predictions));
    for (size_t i = 0; i < choices_.size(); ++i) finish_choices(i);
    int64_t documents = 0;
    for (const auto& file : documents_) documents += std::ssize(file);
    results_.statistics = {
        {"used", {{"documents", documents}, {"windows", windows_}, {"questions", of_rows_.size()}}},
        {"skipped", {{"blank lines", blank_lines_}}},
        {"cut_contexts", cut_contexts_},
        {"cut_tokens", cut_tokens_}};
    return std::move(results_);
  }

 private:
  void add_row(const CapabilityItem& item, const LogLikelihoods& log_likelihoods) {
    const ChoiceRow& row = inputs_.choices[item.file][item.row];
    const ChosenChoices chosen = chosen_choices(row, log_likelihoods);
    std::vector<ChoiceScores>& of_file = choices_[item.file];
    auto scores = std::find_if(of_file.begin(), of_file.end(), [&row](const ChoiceScores& one) {
      return one.language == row.language;
    });
    if (scores == of_file.end()) scores = of_file.insert(of_file.end(), {row.language, {}});
    const std::array<size_t, 3> all{chosen.raw, chosen.norm, chosen.bytes};
    Json json = head(options_.choices[item.file].name, "choices", row.language);
    json["line"] = row.line;
    if (!row.id.empty()) json["id"] = row.id;
    json["answer"] = row.answer;
    json["log_likelihoods"] = log_likelihoods;
    for (const ScoredSequence& sequence : item.sequences)
      json["tokens"].push_back(sequence.target_ids.size());
    json["chosen"] = chosen.raw;
    json["chosen_norm"] = chosen.norm;
    json["chosen_bytes"] = chosen.bytes;
    json["cut"] = item.cut;
    for (size_t i = 0; i < all.size(); ++i) {
      const double right = all[i] == row.answer ? 1.0 : 0.0;
      scores->right[i].push_back(right);
      json[kChoiceMetrics[i]] = right;
    }
    of_rows_.push_back(std::move(json));
  }

  Json head(const std::string& name, const char* mode, const std::string& language) const {
    return {{"benchmark", name}, {"phase", phase_}, {"mode", mode}, {"language", language}};
  }

  ResultRow result(const std::string& name, const char* mode, const std::string& language) const {
    return {.scope = {.benchmark = name, .phase = phase_, .mode = mode, .size = 0, .method = ""},
            .edit_language = "",
            .test_language = language,
            .metric = "",
            .value = std::nullopt};
  }

  void finish_choices(size_t file) {
    for (const ChoiceScores& scores : choices_[file]) {
      for (size_t i = 0; i < scores.right.size(); ++i) {
        const std::vector<double>& right = scores.right[i];
        ResultRow row = result(options_.choices[file].name, "choices", scores.language);
        double sum = 0;
        for (const double one : right) sum += one;
        row.metric = kChoiceMetrics[i];
        row.n = std::ssize(right);
        row.value = round_2(100 * sum / static_cast<double>(right.size()));
        if (const auto bounds = bootstrap_interval(right, options_.bootstrap_resamples, seed_)) {
          row.low = round_2(100 * bounds->low);
          row.high = round_2(100 * bounds->high);
        }
        results_.rows.push_back(std::move(row));
      }
    }
  }

  void finish_text(size_t file) {
    const TextSource& source = options_.perplexity[file];
    std::vector<double> nll, tokens, bytes;
    for (size_t i = 0; i < documents_[file].size(); ++i) {
      const DocumentScore& score = documents_[file][i];
      const TextDocument& document = inputs_.perplexity[file].documents[i];
      nll.push_back(score.nll);
      tokens.push_back(static_cast<double>(score.tokens));
      bytes.push_back(static_cast<double>(document.text.size()));
      Json json = head(source.name, "perplexity", source.lang);
      json["line"] = document.line;
      json["log_likelihood"] = -score.nll;
      json["tokens"] = score.tokens;
      json["bytes"] = document.text.size();
      json["windows"] = score.windows;
      results_.predictions.push_back(std::move(json));
    }
    const auto exp = [](double value) { return std::exp(value); };
    const auto same = [](double value) { return value; };
    const auto bits = [](double value) { return value / std::numbers::ln2; };
    add_ratio(source, "nll", nll, tokens, same);
    add_ratio(source, "perplexity", nll, tokens, exp);
    add_ratio(source, "bits_per_byte", nll, bytes, bits);
  }

  /// A rising function of the sum of `nll` over that of `sizes`.
  template <typename Function>
  void add_ratio(const TextSource& source, const char* metric, const std::vector<double>& nll,
                 const std::vector<double>& sizes, const Function& function) {
    ResultRow row = result(source.name, "perplexity", source.lang);
    row.metric = metric;
    row.n = std::ssize(nll);
    double sum = 0, size = 0;
    for (const double one : nll) sum += one;
    for (const double one : sizes) size += one;
    const double value = function(sum / size);
    XKDE_CHECK(std::isfinite(value), NumericError, source.data.string(), ": ", metric,
               ": expected a number, found e to the power of ", sum / size);
    row.value = round_4(value);
    // One document says nothing of how others would differ.
    const int64_t resamples = nll.size() > 1 ? options_.bootstrap_resamples : 0;
    if (const auto bounds = bootstrap_ratio_interval(nll, sizes, resamples, seed_)) {
      row.low = round_4(function(bounds->low));
      row.high = round_4(function(bounds->high));
    }
    results_.rows.push_back(std::move(row));
  }

  const CapabilityOptions& options_;
  const CapabilityInputs& inputs_;
  std::string phase_;
  uint64_t seed_;
  std::vector<std::vector<DocumentScore>> documents_;  ///< by file
  std::vector<std::vector<ChoiceScores>> choices_;     ///< by file, languages as they come
  std::vector<Json> of_rows_;
  int64_t windows_ = 0, blank_lines_ = 0, cut_contexts_ = 0, cut_tokens_ = 0;
  CapabilityResults results_;
};

}  // namespace

ChosenChoices chosen_choices(const ChoiceRow& row, const LogLikelihoods& log_likelihoods) {
  std::vector<double> norm, bytes;
  for (size_t i = 0; i < row.choices.size(); ++i) {
    const std::string& choice = row.choices[i];
    norm.push_back(log_likelihoods[i] / static_cast<double>(unicode::length(choice)));
    bytes.push_back(log_likelihoods[i] / static_cast<double>(choice.size()));
  }
  return {first_largest(log_likelihoods), first_largest(norm), first_largest(bytes)};
}

CapabilityResults capability_results(const CapabilityOptions& options,
                                     const CapabilityInputs& inputs,
                                     std::span<const CapabilityItem> items,
                                     std::span<const LogLikelihoods> log_likelihoods,
                                     const std::string& phase, uint64_t seed) {
  Counter counter(options, inputs, phase, seed);
  for (size_t i = 0; i < items.size(); ++i) counter.add(items[i], log_likelihoods[i]);
  return counter.finish();
}

}  // namespace xkde
