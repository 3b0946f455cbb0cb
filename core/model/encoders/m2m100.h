#ifndef XKDE_CORE_MODEL_ENCODERS_M2M100_H_
#define XKDE_CORE_MODEL_ENCODERS_M2M100_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/encoders/m2m100_config.h"

namespace xkde {

/// M2M-100 (NLLB) encoder-decoder, fp32 on the CPU, for scoring: no generation. Sequences are
/// packed row after row without padding. Immutable, thread-safe. Source: arXiv:2010.11125;
/// transformers M2M100ForConditionalGeneration.
class M2m100 {
 public:
  using Ids = std::vector<int64_t>;

  /// Sources after the encoder: hidden [T, D], the rows of source i behind those of source i-1.
  struct Encoded {
    at::Tensor hidden;
    std::vector<int64_t> lengths;
  };

  /// From a Hugging Face folder with config.json and safetensors weights. Throws MissingInputError
  /// or DataError.
  static M2m100 open(const std::filesystem::path& folder);
  /// Throws what open() would, but reads no weights.
  static M2m100Config check(const std::filesystem::path& folder);
  M2m100(M2m100&&) noexcept;
  M2m100& operator=(M2m100&&) noexcept;
  ~M2m100();

  const M2m100Config& config() const noexcept;
  const std::vector<std::filesystem::path>& files() const noexcept;

  /// Each source has at least one id.
  Encoded encode(std::span<const Ids> sources) const;
  /// Losses in nats of every label of `labels[i]`, predicted from `decoder_start_id`, the labels
  /// before it and source `source_of[i]`.
  std::vector<std::vector<double>> label_losses(const Encoded& sources,
                                                std::span<const int64_t> source_of,
                                                std::span<const Ids> labels) const;

 private:
  struct Impl;
  explicit M2m100(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_ENCODERS_M2M100_H_
