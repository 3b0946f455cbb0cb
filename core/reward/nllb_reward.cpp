#include "core/reward/nllb_reward.h"

#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/data/language.h"
#include "core/model/encoders/check_encoders.h"
#include "core/model/encoders/m2m100.h"
#include "core/text/nllb_tokenizer.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using Ids = M2m100::Ids;

/// More unused rows of the embedding than this mean that the files do not belong together; the
/// published models have two.
constexpr int64_t kMostUnusedRows = 64;

/// One answer to score: which source, which case's labels, where its number goes.
struct Job {
  size_t source;
  size_t row;
  size_t column;
};

/// Distinct (code, answer) in order of appearance, and the jobs of each.
struct Work {
  std::vector<Ids> sources;
  std::vector<std::vector<Job>> jobs;
  std::vector<Ids> labels;  ///< of each case
};

std::string code_of(const std::optional<std::string>& fixed, const std::string& language,
                    const char* whose) {
  if (fixed) return *fixed;
  XKDE_CHECK(!language.empty(), ConfigError, "NLLB reward: expected the language of the ", whose,
             " (or a fixed code), found none");
  const Language& known = language_of(language);
  XKDE_CHECK(!known.nllb_code.empty(), ConfigError,
             "NLLB reward: expected a language of NLLB-200 (", "or a fixed code) for the ", whose,
             ", found ", known.english_name);
  return known.nllb_code;
}

/// Weights and tokenizer fit each other, and the tokenizer has the fixed codes.
void check_parts(const fs::path& folder, const NllbTokenizer& tokenizer, const M2m100Config& config,
                 const NllbRewardOptions& options) {
  const int64_t rows = config.vocab_size;
  XKDE_CHECK(tokenizer.size() <= rows && rows - tokenizer.size() <= kMostUnusedRows, DataError,
             (folder / "config.json").string(), ": vocab_size: expected the ", tokenizer.size(),
             " tokens of ", tokenizer.files().back().string(), " and at most ", kMostUnusedRows,
             " unused ones, found ", rows);
  for (const auto& code : {options.source_code, options.target_code}) {
    if (code) tokenizer.language_id(*code);
  }
}

class NllbReward : public Reward {
 public:
  NllbReward(const fs::path& folder, NllbRewardOptions options)
      : options_(std::move(options)),
        tokenizer_(NllbTokenizer::open(folder)),
        model_(M2m100::open(folder)) {
    check_parts(folder, tokenizer_, model_.config(), options_);
  }

  std::vector<std::vector<double>> score(std::span<const RewardCase> cases) const override {
    const Work work = lay_out(cases);
    std::vector<std::vector<double>> scores;
    for (const RewardCase& one : cases) scores.emplace_back(one.answers.size());
    for (size_t begin = 0; begin < work.sources.size();) {
      check_stop();
      size_t end = begin;
      for (int64_t tokens = 0; end < work.sources.size(); ++end) {
        tokens += tokens_of(work, end);
        if (end > begin && tokens > options_.max_tokens_per_batch) break;
      }
      score_batch(work, begin, end, scores);
      begin = end;
    }
    return scores;
  }

 private:
  Work lay_out(std::span<const RewardCase> cases) const {
    Work work;
    std::map<std::pair<std::string, std::string>, size_t> known;
    for (size_t row = 0; row < cases.size(); ++row) {
      const RewardCase& one = cases[row];
      if (one.answers.empty()) {
        work.labels.emplace_back();
        continue;
      }
      const std::string code = code_of(options_.source_code, one.answer_language, "answers");
      work.labels.push_back(tokenizer_.encode(
          one.gold, code_of(options_.target_code, one.gold_language, "gold answer")));
      for (size_t column = 0; column < one.answers.size(); ++column) {
        const auto [place, fresh] =
            known.try_emplace({code, one.answers[column]}, work.sources.size());
        if (fresh) {
          work.sources.push_back(tokenizer_.encode(one.answers[column], code));
          work.jobs.emplace_back();
        }
        work.jobs[place->second].push_back({place->second, row, column});
      }
    }
    return work;
  }

  static int64_t tokens_of(const Work& work, size_t source) {
    size_t tokens = work.sources[source].size();
    for (const Job& job : work.jobs[source]) tokens += work.labels[job.row].size();
    return static_cast<int64_t>(tokens);
  }

  /// Sources [begin, end) with all their jobs; an answer given to very many questions makes more
  /// than one batch of labels.
  void score_batch(const Work& work, size_t begin, size_t end,
                   std::vector<std::vector<double>>& scores) const {
    const M2m100::Encoded encoded =
        model_.encode(std::span(work.sources).subspan(begin, end - begin));
    std::vector<int64_t> source_of;
    std::vector<Ids> labels;
    std::vector<Job> jobs;
    int64_t tokens = 0;
    const auto flush = [&] {
      const auto losses = model_.label_losses(encoded, source_of, labels);
      for (size_t i = 0; i < jobs.size(); ++i) {
        scores[jobs[i].row][jobs[i].column] = inverse_mean_loss(losses[i]);
      }
      source_of.clear();
      labels.clear();
      jobs.clear();
      tokens = 0;
    };
    for (size_t source = begin; source < end; ++source) {
      for (const Job& job : work.jobs[source]) {
        const Ids& ids = work.labels[job.row];
        tokens += static_cast<int64_t>(ids.size());
        source_of.push_back(static_cast<int64_t>(source - begin));
        labels.push_back(ids);
        jobs.push_back(job);
        if (tokens >= options_.max_tokens_per_batch) flush();
      }
    }
    if (!jobs.empty()) flush();
  }

  NllbRewardOptions options_;
  NllbTokenizer tokenizer_;
  M2m100 model_;
};

}  // namespace

double inverse_mean_loss(std::span<const double> losses) {
  const double sum = std::accumulate(losses.begin(), losses.end(), 0.0);
  const double reward = static_cast<double>(losses.size()) / sum;
  XKDE_CHECK(std::isfinite(reward), NumericError,
             "NLLB reward: expected a finite loss above 0, found ",
             sum / static_cast<double>(losses.size()));
  return reward;
}

std::unique_ptr<Reward> make_nllb_reward(const fs::path& folder, const NllbRewardOptions& options) {
  XKDE_CHECK(options.max_tokens_per_batch > 0, ConfigError,
             "NLLB reward: expected a positive number of tokens per batch, found ",
             options.max_tokens_per_batch);
  return std::make_unique<NllbReward>(folder, options);
}

void check_nllb_reward(const fs::path& folder, const NllbRewardOptions& options) {
  const NllbTokenizer tokenizer = NllbTokenizer::open(folder);
  check_parts(folder, tokenizer, check_m2m100(folder), options);
}

}  // namespace xkde
