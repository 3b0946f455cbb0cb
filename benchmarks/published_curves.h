#ifndef XKDE_BENCHMARKS_PUBLISHED_CURVES_H_
#define XKDE_BENCHMARKS_PUBLISHED_CURVES_H_

#include <string>
#include <utility>
#include <vector>

#include "benchmarks/scaling_terms.h"
#include "core/model/decoder.h"
#include "distributed/planner/machine_presets.h"
#include "distributed/planner/step_model.h"

namespace xkde::dist {

/// The shape of a Llama-like decoder without biases.
inline ModelShape llama_shape(int64_t layers, int64_t hidden, int64_t inner, int64_t heads,
                              int64_t kv_heads, int64_t vocabulary, bool tied) {
  ModelConfig config;
  config.vocab_size = vocabulary;
  config.hidden_size = hidden;
  config.intermediate_size = inner;
  config.num_hidden_layers = layers;
  config.num_attention_heads = heads;
  config.num_key_value_heads = kv_heads;
  config.head_dim = hidden / heads;
  config.max_position_embeddings = 1 << 20;
  config.tie_word_embeddings = tied;
  return shape_of(Decoder(config));
}

/// MPT has two matrices of 4 D in its MLP: as many weights as three of 8/3 D.
inline ModelShape mpt_shape(int64_t layers, int64_t hidden) {
  return llama_shape(layers, hidden, 8 * hidden / 3, hidden / 128, hidden / 128, 50368, true);
}

/// Measured weak scaling of fully sharded training: the same work per GPU on more GPUs.
struct PublishedCurve {
  std::string name;
  std::string source;
  ModelShape model;
  EngineOptions options;
  std::string machine;  ///< of machine_preset
  double sequence = 0.0;
  double tokens = 0.0;                         ///< of a GPU and step
  std::vector<std::pair<int, double>> points;  ///< GPUs, tokens a second of each
};

/// Every curve whose batch is known. Gradients are reduced in bf16 and weights gathered in float8
/// where the source does so.
inline std::vector<PublishedCurve> published_curves() {
  const EngineOptions full{.compute_dtype = c10::kBFloat16,
                           .shard = ShardMode::kFull,
                           .prefetch = 1,
                           .device = c10::kCUDA};
  EngineOptions checkpointed = full;
  checkpointed.recompute = Recompute::kBlock;
  EngineOptions pure = checkpointed;
  pure.grad_reduce_dtype = c10::kBFloat16;
  EngineOptions float8 = full;
  float8.compute_dtype = c10::kFloat8_e4m3fn;
  const std::string foundry = "llm-foundry: scripts/train/benchmarking/README.md";
  const std::string titan = "torchtitan: benchmarks/llama3_h100_202412_torchtitan.md";
  const std::string titan_h200 =
      "torchtitan: benchmarks/llama3-8b_h200_202506_trainy-whitefiber.md";
  const ModelShape mpt_7b = mpt_shape(32, 4096);
  const ModelShape llama_8b = llama_shape(32, 4096, 14336, 32, 8, 128256, false);
  return {
      {"MPT-7B H100",
       foundry,
       mpt_7b,
       full,
       "h100",
       2048,
       6 * 2048,
       {{8, 10643}, {128, 10475}, {256, 10119}, {512, 9670}}},
      {"MPT-13B H100",
       foundry,
       mpt_shape(40, 5120),
       full,
       "h100",
       2048,
       2 * 2048,
       {{8, 4792}, {16, 4767}, {32, 4811}, {64, 4800}}},
      {"MPT-70B H100",
       foundry,
       mpt_shape(80, 8192),
       checkpointed,
       "h100",
       2048,
       8 * 2048,
       {{128, 1058}, {512, 1007}}},
      {"MPT-7B A100",
       foundry,
       mpt_7b,
       pure,
       "a100_40",
       2048,
       18 * 2048,
       {{16, 3645}, {32, 3725}, {64, 3665}, {128, 3623}}},
      {"Llama-8B H100", titan, llama_8b, full, "h100", 8192, 2 * 8192, {{8, 5762}, {128, 5605}}},
      {"Llama-8B H100 compiled",
       titan,
       llama_8b,
       full,
       "h100",
       8192,
       2 * 8192,
       {{8, 6667}, {128, 6514}}},
      {"Llama-8B H100 float8",
       titan,
       llama_8b,
       float8,
       "h100",
       8192,
       2 * 8192,
       {{8, 8532}, {128, 8380}}},
      {"Llama-8B H200 float8",
       titan_h200,
       llama_8b,
       float8,
       "h200",
       8192,
       2 * 8192,
       {{32, 10938}, {64, 10753}}},
  };
}

/// The step that the model predicts for one GPU of `gpus`, with `flops` sustained in matrix
/// products.
inline double predicted_seconds(const PublishedCurve& curve, int gpus, double flops) {
  MachineConstants machine = machine_preset(curve.machine).machine;
  machine.matmul_flops = flops;
  return predict_step(curve.model, curve.options, gpus, dense_work(curve.tokens, curve.sequence),
                      machine)
      .total();
}

/// The sustained rate with which the curve's first point comes out as published: kernels are not
/// what the curve is about, and the only thing fitted to it.
inline double fitted_flops(const PublishedCurve& curve) {
  const auto [gpus, rate] = curve.points.front();
  double low = 1e12;
  double high = 1e16;
  for (int i = 0; i < 100; ++i) {
    const double middle = 0.5 * (low + high);
    (curve.tokens / predicted_seconds(curve, gpus, middle) > rate ? high : low) = middle;
  }
  return high;
}

}  // namespace xkde::dist

#endif  // XKDE_BENCHMARKS_PUBLISHED_CURVES_H_
