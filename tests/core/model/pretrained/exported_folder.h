#ifndef XKDE_TESTS_CORE_MODEL_PRETRAINED_EXPORTED_FOLDER_H_
#define XKDE_TESTS_CORE_MODEL_PRETRAINED_EXPORTED_FOLDER_H_

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/model/pretrained/export.h"
#include "core/model/pretrained/pretrained.h"

namespace xkde::test {

/// A folder of its own for each test, and a tiny exported model in it.
class ExportedFolder : public testing::Test {
 protected:
  ExportedFolder()
      : folder_(std::filesystem::temp_directory_path() /
                ("xkde_weights_" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~ExportedFolder() override { std::filesystem::remove_all(folder_); }

  /// A tiny exported model whose values tell their tensor's name.
  using Fill = std::function<void(const std::string&, std::span<float>)>;
  std::filesystem::path exported(int64_t max_shard_bytes = 1 << 20,
                                 const Fill& values = fill) const {
    ModelConfig config;
    config.vocab_size = 4;
    config.hidden_size = 4;
    config.intermediate_size = 6;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.num_key_value_heads = 1;
    config.head_dim = 2;
    config.max_position_embeddings = 16;
    const Json model = {{"type", "BPE"},
                        {"vocab", {{"a", 0}, {"b", 1}, {"c", 2}, {"d", 3}}},
                        {"merges", Json::array()}};
    const Json tokenizer = {{"version", "1.0"},
                            {"added_tokens", Json::array()},
                            {"normalizer", nullptr},
                            {"pre_tokenizer", nullptr},
                            {"post_processor", nullptr},
                            {"decoder", nullptr},
                            {"model", model}};
    const std::filesystem::path path = folder_ / "model";
    std::filesystem::remove_all(path);
    export_pretrained(path,
                      {.config = config,
                       .tokenizer = Tokenizer::from_json(tokenizer, nullptr, "t"),
                       .chat_template = "",
                       .generation_config = nullptr,
                       .stop_ids = {}},
                      Dtype::kFloat32, values, max_shard_bytes);
    return path;
  }

  static void fill(const std::string& name, std::span<float> out) {
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<float>(name.size()) + static_cast<float>(i) / 64;
    }
  }

  static std::string error_of(const std::filesystem::path& path) {
    try {
      open_pretrained(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  static std::string first_shard(const std::filesystem::path& folder) {
    std::set<std::string> names;
    for (const std::filesystem::directory_entry& entry :
         std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".safetensors")) names.insert(name);
    }
    return *names.begin();
  }

  /// Calls the 16 bytes of the last norm another type.
  static void rewrite_dtype(const std::filesystem::path& file, const std::string& dtype) {
    std::ifstream in(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    uint64_t length = 0;
    std::memcpy(&length, text.data(), sizeof length);
    Json header = Json::parse(text.substr(8, length));
    header["model.norm.weight"]["dtype"] = dtype;
    header["model.norm.weight"]["shape"] = {16};
    const std::string changed = header.dump();
    text.replace(8, length, changed);
    length = changed.size();
    std::memcpy(text.data(), &length, sizeof length);
    std::ofstream(file, std::ios::binary) << text;
  }

  static void rewrite(const std::filesystem::path& path, const std::string& from,
                      const std::string& to) {
    std::ifstream in(path);
    std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, from.size(), to);
    std::ofstream(path) << text;
  }

  std::filesystem::path folder_;
};

}  // namespace xkde::test

#endif  // XKDE_TESTS_CORE_MODEL_PRETRAINED_EXPORTED_FOLDER_H_
