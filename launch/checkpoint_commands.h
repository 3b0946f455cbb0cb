#ifndef XKDE_LAUNCH_CHECKPOINT_COMMANDS_H_
#define XKDE_LAUNCH_CHECKPOINT_COMMANDS_H_

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"
#include "core/model/pretrained/gguf_export.h"
#include "launch/command_line/cli_command.h"

namespace xkde {

/// `ckpt ls PATH`: a line for each checkpoint folder under `path`, those that LATEST and BEST name
/// marked, and those whose manifest or whose files' sizes are not as they were written. Throws
/// MissingInputError when there is none.
std::string list_checkpoints(const std::filesystem::path& path);

/// `ckpt verify PATH`: checks sizes and SHA-256 of every file of a checkpoint, or of the newest one
/// under `path`, whatever it is. Throws CheckpointError when it is damaged, MissingInputError when
/// there is none.
std::string verify_checkpoints(const std::filesystem::path& path);

/// `ckpt export CHECKPOINT OUT_DIR --model MODEL`: writes the weights of a checkpoint, or of the
/// newest one below a folder that verifies, as a Hugging Face folder, which appears when it is
/// complete. Config, tokenizer and chat template come from `model`, a Hugging Face folder or a
/// .gguf file. `dtype` is that of the weights written. With `gguf` the folder holds a GGUF file of
/// that type, model.gguf, and nothing else. Throws CheckpointError when it is damaged or
/// of another model, IoError when `out` is there already, ConfigError when it holds or lies in one
/// of the inputs or no GGUF file describes the model, MissingInputError, DataError.
std::string export_checkpoint(const std::filesystem::path& path, const std::filesystem::path& out,
                              const std::filesystem::path& model, Dtype dtype,
                              std::optional<GgufType> gguf = {});

/// `xkde_dist ckpt ls`
class CkptLsCommand : public CliCommand {
 public:
  std::string_view name() const override { return "ckpt ls"; }
  std::string_view usage() const override { return "PATH"; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  int run() override;

  std::filesystem::path path;
};

/// `xkde_dist ckpt verify`
class CkptVerifyCommand : public CliCommand {
 public:
  std::string_view name() const override { return "ckpt verify"; }
  std::string_view usage() const override { return "PATH"; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  int run() override;

  std::filesystem::path path;
};

/// `xkde_dist ckpt export`
class CkptExportCommand : public CliCommand {
 public:
  std::string_view name() const override { return "ckpt export"; }
  std::string_view usage() const override {
    return "CHECKPOINT OUT_DIR --model MODEL [--dtype bfloat16|float32 | --gguf TYPE]";
  }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  int run() override;

  std::filesystem::path path, out, model;
  std::string dtype = "bfloat16";  ///< or "float32"
  std::string gguf;                ///< a name of kGgufTypes; empty: a Hugging Face folder
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_CHECKPOINT_COMMANDS_H_
