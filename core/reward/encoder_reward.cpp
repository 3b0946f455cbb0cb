#include "core/reward/encoder_reward.h"

#include <cmath>
#include <string>
#include <unordered_map>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/model/encoders/sentence_encoder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

/// Distinct texts in order of appearance.
class Texts {
 public:
  int64_t add(const std::string& text) {
    const auto [place, fresh] = numbers_.try_emplace(text, static_cast<int64_t>(all_.size()));
    if (fresh) all_.push_back(text);
    return place->second;
  }
  const std::vector<std::string>& all() const { return all_; }

 private:
  std::unordered_map<std::string, int64_t> numbers_;
  std::vector<std::string> all_;
};

class EncoderReward : public Reward {
 public:
  EncoderReward(const fs::path& folder, int64_t max_tokens_per_batch,
                const std::optional<std::string>& prefix)
      : encoder_(SentenceEncoder::open(folder)),
        prompt_(prefix.value_or(encoder_.prompt(SentenceEncoder::Role::kText))),
        max_tokens_(max_tokens_per_batch) {}

  std::vector<std::vector<double>> score(std::span<const RewardCase> cases) const override {
    Texts texts;
    std::vector<std::vector<double>> scores;
    std::vector<int64_t> left;
    std::vector<int64_t> right;
    for (const RewardCase& one : cases) {
      scores.emplace_back(one.answers.size());
      for (const std::string& answer : one.answers) {
        left.push_back(texts.add(answer));
        right.push_back(texts.add(one.gold));
      }
    }
    if (left.empty()) return scores;
    const at::Tensor rows =
        encoder_.embed(SentenceEncoder::prompted(prompt_, texts.all()), max_tokens_)
            .to(at::kDouble);
    const at::Tensor cosines =
        at::cosine_similarity(rows.index_select(0, at::tensor(left, at::kLong)),
                              rows.index_select(0, at::tensor(right, at::kLong)), 1);
    const double* next = cosines.const_data_ptr<double>();
    for (std::vector<double>& row : scores) {
      for (double& score : row) {
        score = *next++;
        XKDE_CHECK(std::isfinite(score), NumericError,
                   "encoder reward: expected a finite cosine, found ", score);
      }
    }
    return scores;
  }

 private:
  SentenceEncoder encoder_;
  std::string prompt_;  ///< before every text
  int64_t max_tokens_;
};

}  // namespace

std::unique_ptr<Reward> make_encoder_reward(const fs::path& folder, int64_t max_tokens_per_batch,
                                            const std::optional<std::string>& prefix) {
  XKDE_CHECK(max_tokens_per_batch > 0, ConfigError,
             "encoder reward: expected a positive number of tokens per batch, found ",
             max_tokens_per_batch);
  return std::make_unique<EncoderReward>(folder, max_tokens_per_batch, prefix);
}

}  // namespace xkde
