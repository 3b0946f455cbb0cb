#ifndef XKDE_STAGES_EXPORT_BASE_MODEL_H_
#define XKDE_STAGES_EXPORT_BASE_MODEL_H_

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace xkde::recipe {

/// The model that a run began with, as its own files tell of it.
struct BaseModel {
  std::string name;  ///< of its folder or file
  std::string id;    ///< "owner/name" on the Hugging Face hub; empty: its files do not say
  /// license, license_name and license_link as a model card has them, those that the files name.
  std::vector<std::pair<std::string, std::string>> licence;
};

/// Reads the head of a folder's README.md and its config.json, or the metadata of a GGUF file. What
/// they do not say is left out: nothing is guessed. Throws MissingInputError or DataError where a
/// file that is there cannot be read.
BaseModel base_model_of(const std::filesystem::path& model);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EXPORT_BASE_MODEL_H_
