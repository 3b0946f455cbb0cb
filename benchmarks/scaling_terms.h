#ifndef XKDE_BENCHMARKS_SCALING_TERMS_H_
#define XKDE_BENCHMARKS_SCALING_TERMS_H_

#include <algorithm>

#include "distributed/planner/step_model.h"

namespace xkde::dist {

/// One pack of `tokens` rows, every one labelled, in causal sequences of `sequence` rows.
inline StepWork dense_work(double tokens, double sequence) {
  return {.packs = 1.0,
          .tokens = tokens,
          .labels = tokens,
          .pairs = tokens * std::min(tokens, sequence) / 2.0};
}

/// Tokens of a rank's only pack at which it computes for as long as it communicates: below, the
/// links set the pace. 0 where there is nothing to communicate.
inline double break_even_tokens(const ModelShape& model, const EngineOptions& options, int ranks,
                                double sequence, const MachineConstants& machine) {
  const auto computes_longer = [&](double tokens) {
    const StepSeconds s =
        predict_step(model, options, ranks, dense_work(tokens, sequence), machine);
    return s.matmul + s.attention + s.head + s.elementwise > s.communication;
  };
  double low = 1.0;
  double high = 1e8;
  if (ranks == 1 || computes_longer(low)) return 0.0;
  for (int i = 0; i < 60; ++i) {
    const double middle = 0.5 * (low + high);
    (computes_longer(middle) ? high : low) = middle;
  }
  return high;
}

/// Floating-point operations that a step of one rank cannot do without: 6 for each parameter and
/// token (head: label), and 12 for each pair of a query and a key and element of a query head. What
/// model FLOP utilisation counts.
inline double necessary_flops(const ModelShape& model, const StepWork& work) {
  return 6.0 * (static_cast<double>(model.block_multiply_adds) * work.tokens +
                static_cast<double>(model.vocabulary * model.hidden) * work.labels) +
         3.0 * (4.0 * static_cast<double>(model.layers * model.queries) * work.pairs);
}

}  // namespace xkde::dist

#endif  // XKDE_BENCHMARKS_SCALING_TERMS_H_
