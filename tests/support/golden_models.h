#ifndef XKDE_TESTS_SUPPORT_GOLDEN_MODELS_H_
#define XKDE_TESTS_SUPPORT_GOLDEN_MODELS_H_

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/io/json_file.h"
#include "core/model/families/model_config.h"

namespace xkde {

/// The tiny models of tests/golden, each a Hugging Face folder with numbers of transformers.
inline std::filesystem::path golden_folder(const std::string& model) {
  return std::filesystem::path(XKDE_SOURCE_DIR) / "tests/golden/models" / model;
}

/// All of them, so that a new one is tested by its being there.
inline std::vector<std::string> golden_models() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder(""))) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

inline ModelConfig golden_config(const std::string& model) {
  const std::filesystem::path file = golden_folder(model) / "config.json";
  return ModelConfig::from_json(read_json_file(file), file.string());
}

/// The name of a test's model, for INSTANTIATE_TEST_SUITE_P.
inline std::string golden_name(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace xkde

#endif  // XKDE_TESTS_SUPPORT_GOLDEN_MODELS_H_
