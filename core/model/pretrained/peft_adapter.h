#ifndef XKDE_CORE_MODEL_PRETRAINED_PEFT_ADAPTER_H_
#define XKDE_CORE_MODEL_PRETRAINED_PEFT_ADAPTER_H_

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "core/model/families/lora_blocks.h"
#include "core/model/families/model_config.h"

namespace xkde {

/// A low-rank adapter as PEFT saves it: a folder with adapter_config.json and
/// adapter_model.safetensors. Source: https://github.com/huggingface/peft, utils/save_and_load.py.
class PeftAdapter {
 public:
  /// The files that a folder must have, for digests. Throws MissingInputError, which names what is
  /// missing, and the way out where the weights are pickled.
  static std::vector<std::filesystem::path> files(const std::filesystem::path& folder);

  /// Throws MissingInputError, and DataError (file, key or tensor, expected, found) where it is no
  /// such adapter, does something that we cannot (DoRA, biases, ranks of their own, layers left
  /// out), or does not belong to a model of `config`.
  static PeftAdapter open(const std::filesystem::path& folder, const ModelConfig& config);

  const LoraOptions& options() const noexcept { return options_; }
  /// Values of one of lora_blocks() from `first` on, as many as `out` takes. Throws DataError where
  /// one is not finite.
  void read(const std::string& name, int64_t first, std::span<float> out) const;

 private:
  PeftAdapter(LoraOptions options, SafetensorsFile file);
  void check_tensors(const ModelConfig& config) const;

  LoraOptions options_;
  SafetensorsFile file_;
  std::map<std::string, size_t> tensors_;  ///< by name, in file_
};

/// Writes such a folder, which must be empty or is made, for PEFT to load beside `base_model`.
/// `read(name, out)` gives each of lora_blocks(). Throws NumericError that names the tensor where a
/// value is not finite.
void write_peft_adapter(const std::filesystem::path& folder, const std::string& base_model,
                        const ModelConfig& config, const LoraOptions& options,
                        const std::function<void(const std::string&, std::span<float>)>& read);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_PRETRAINED_PEFT_ADAPTER_H_
