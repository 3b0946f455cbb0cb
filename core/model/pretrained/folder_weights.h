#ifndef XKDE_CORE_MODEL_PRETRAINED_FOLDER_WEIGHTS_H_
#define XKDE_CORE_MODEL_PRETRAINED_FOLDER_WEIGHTS_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/model/pretrained/pretrained.h"

namespace xkde {

/// model.safetensors of a Hugging Face folder, or every file that its index names; empty where
/// neither is there. A file may be a link, but within huggingface_hub's cache none that leaves it.
/// Throws MissingInputError or DataError for an index that cannot be followed.
std::vector<std::filesystem::path> safetensors_files(const std::filesystem::path& folder);

/// The same, but MissingInputError where there are none; where only pickled weights are there, the
/// message holds the command that converts them with `transformers_class`.
std::vector<std::filesystem::path> required_safetensors_files(
    const std::filesystem::path& folder, const std::string& transformers_class);

/// The tensors of all files as one. Throws DataError where a tensor is in two.
std::unique_ptr<WeightFile> open_safetensors(const std::vector<std::filesystem::path>& files);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_PRETRAINED_FOLDER_WEIGHTS_H_
