#ifndef XKDE_TESTS_SUPPORT_ODD_MODEL_H_
#define XKDE_TESTS_SUPPORT_ODD_MODEL_H_

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/rng.h"
#include "core/model/families/family.h"
#include "core/model/families/model_config.h"
#include "core/model/token_tree.h"

namespace xkde {

/// A model whose sizes divide by no number of ranks.
inline ModelConfig odd_config(bool tied) {
  ModelConfig config;
  config.family = &family_named(tied ? "qwen2" : "llama");
  config.vocab_size = 53;
  config.hidden_size = 20;
  config.intermediate_size = 27;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 3;
  config.num_key_value_heads = 1;
  config.head_dim = 6;
  config.max_position_embeddings = 64;
  config.attention_bias = tied;
  config.tie_word_embeddings = tied;
  return config;
}

/// Values of a tensor from `first` on, which depend on its name alone.
inline void random_weights(const std::string& name, int64_t first, std::span<float> out) {
  RandomStream random(7, name);
  const bool norm = name.find("norm") != std::string::npos;
  for (int64_t i = -first; i < std::ssize(out); ++i) {
    const double value = (random.uniform() - 0.5) * 0.4 + (norm ? 1.0 : 0.0);
    if (i >= 0) out[static_cast<size_t>(i)] = static_cast<float>(value);
  }
}

/// Sequences for odd_config() that begin alike, with three labels each, whose weights add up to 1.
inline std::vector<TreeSequence> random_sequences(int64_t count, uint64_t step = 0) {
  RandomStream random(11, "sequences", step);
  std::vector<TreeSequence> sequences;
  for (int64_t i = 0; i < count; ++i) {
    TreeSequence sequence{{1, 2, 3, static_cast<int64_t>(random.below(2))}, {}};
    const auto length = 4 + static_cast<int64_t>(random.below(9));
    while (std::ssize(sequence.ids) < length)
      sequence.ids.push_back(static_cast<int64_t>(random.below(53)));
    for (int64_t t = length - 3; t < length; ++t) {
      sequence.labels.push_back(
          {t, static_cast<int64_t>(random.below(53)), 1.0 / static_cast<double>(3 * count)});
    }
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

/// What one of `ranks` ranks gets of `all`, dealt round robin.
inline std::vector<TreeSequence> part_of(const std::vector<TreeSequence>& all, int rank,
                                         int ranks) {
  std::vector<TreeSequence> part;
  for (size_t i = 0; i < all.size(); ++i) {
    if (static_cast<int>(i) % ranks == rank) part.push_back(all[i]);
  }
  return part;
}

}  // namespace xkde

#endif  // XKDE_TESTS_SUPPORT_ODD_MODEL_H_
