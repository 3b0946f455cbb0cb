#include "launch/checkpoint_commands.h"

#include <cstdint>
#include <set>
#include <span>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "core/base/error.h"
#include "core/base/standard_output.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "core/model/families/family.h"
#include "core/model/pretrained/export.h"
#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/checkpoint/manifest.h"
#include "distributed/checkpoint/retention.h"
#include "distributed/checkpoint/tensors.h"
#include "distributed/sharding/shard_layout.h"
#include "stages/export/stage.h"
#include "stages/run/fresh_folder.h"
#include "stages/run/output_path.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

void require_path(std::string_view command, const fs::path& path) {
  XKDE_CHECK(!path.empty(), UsageError, command, ": expected a path, found none");
}

uintmax_t bytes_in(const fs::path& folder) {
  uintmax_t bytes = 0;
  for (const fs::path& entry : entries_of(folder, FileOrigin::kInput)) {
    if (kind_at(entry, FileOrigin::kInput) == PathKind::kFile) bytes += fs::file_size(entry);
  }
  return bytes;
}

void require_folder(const fs::path& path) {
  XKDE_CHECK(is_folder(path, FileOrigin::kInput), MissingInputError, path.string(),
             ": expected a folder of checkpoints, found none");
}

bool is_checkpoint(const fs::path& path) {
  return is_there(path / dist::kManifestFile, FileOrigin::kOwn);
}

/// The folders of `path` that were written to their end, the newest last; one at least.
std::set<fs::path> complete_checkpoints(const fs::path& path) {
  require_folder(path);
  std::set<fs::path> folders;
  for (const fs::path& entry : entries_of(path, FileOrigin::kInput)) {
    const std::string name = entry.filename().string();
    const bool complete = name.starts_with("step-") && !name.ends_with(".tmp");
    if (complete && is_folder(entry, FileOrigin::kInput)) folders.insert(entry);
  }
  XKDE_CHECK(!folders.empty(), MissingInputError, path.string(),
             ": expected step-* folders, found none");
  return folders;
}

/// "  DAMAGED: ..." where the manifest or a file's size says so; "" where no look at them does.
/// What the files hold is not read.
std::string damage_of(const fs::path& folder) {
  try {
    for (const FileRecord& file : dist::read_manifest(folder).files)
      dist::verify_size(folder, file);
    return "";
  } catch (const CheckpointError& error) {
    return concat("  DAMAGED: ", error.what());
  }
}

/// `path`, if it is a checkpoint, or the newest one in it that is whole.
fs::path verified_checkpoint(const fs::path& path) {
  require_folder(path);
  if (is_checkpoint(path)) {
    dist::verify_checkpoint(path);
    return path;
  }
  const auto newest = dist::newest_verified_checkpoint(path);
  XKDE_CHECK(newest.has_value(), MissingInputError, path.string(),
             ": expected step-* folders, found none");
  return *newest;
}

/// All tensors of a model in one unit and shard: only their names and shapes matter.
dist::ShardLayout layout_of(const ModelConfig& config) {
  dist::UnitLayout unit{.name = "model", .slots = {}};
  for (const UnitTensor& tensor : tensors_of(config)) {
    unit.slots.push_back({.name = tensor.name, .shape = tensor.shape});
  }
  return dist::make_layout({unit}, 1);
}

/// A checkpoint does not tell how often its adapter counts, and where; the recipe does.
void refuse_adapter(const fs::path& folder) {
  for (const dist::UnitLayout& unit : dist::read_manifest(folder).layout.units) {
    for (const dist::TensorSlot& slot : unit.slots) {
      XKDE_CHECK(slot.name.find(".lora_") == std::string::npos, ConfigError, folder.string(),
                 ": expected a checkpoint of all weights, found one of an adapter; an export stage "
                 "behind its stage in the recipe merges it, or writes it for PEFT");
    }
  }
}

/// The chat format that the checkpoint's run trained with; plain where it does not say. `own` gets
/// the model's template, as that run saw it.
ChatTemplate format_of(const fs::path& checkpoint, const PretrainedModel& model,
                       ModelTemplate& own) {
  const Json state = read_json_file(checkpoint / dist::kStateFile);
  const auto key_of = [&](const char* key, const char* otherwise) {
    return state.value(Json::json_pointer(concat("/recipe/model/", key)), std::string(otherwise));
  };
  own = own_template(model, key_of("chat_date", ""));
  return ChatTemplate::select(key_of("chat_template", "plain"), own);
}

}  // namespace

std::string list_checkpoints(const fs::path& path) {
  const std::string latest = dist::named_by(path, dist::kLatestFile);
  const std::string best = dist::named_by(path, dist::kBestFile);
  std::string text;
  for (const fs::path& folder : complete_checkpoints(path)) {
    const std::string name = folder.filename().string();
    text += name + "  " + std::to_string(bytes_in(folder)) + " bytes" +
            (name == latest ? "  LATEST" : "") + (name == best ? "  BEST" : "") +
            damage_of(folder) + "\n";
  }
  return text;
}

std::string verify_checkpoints(const fs::path& path) {
  require_folder(path);
  const fs::path folder = is_checkpoint(path) ? path : *complete_checkpoints(path).rbegin();
  dist::verify_checkpoint(folder);
  return folder.string() + ": verified\n";
}

std::string export_checkpoint(const fs::path& path, const fs::path& out, const fs::path& model,
                              Dtype dtype, std::optional<GgufType> gguf) {
  const fs::path target = recipe::normalised(out);
  XKDE_CHECK(kind_of_name(target, FileOrigin::kOwn) == PathKind::kNothing, IoError, out.string(),
             ": expected no such folder yet, found one");
  const std::vector<recipe::NamedPath> inputs{{"CHECKPOINT", path}, {"--model", model}};
  recipe::check_apart(out, inputs);
  const PretrainedModel pretrained = open_pretrained(model);
  const fs::path folder = is_checkpoint(path) ? path : verified_checkpoint(path);
  refuse_adapter(folder);
  ModelTemplate own;
  const ChatTemplate format = format_of(folder, pretrained, own);
  const std::string chat_template = format.source_for(own);
  const std::vector<int64_t> stop_ids = pretrained.stop_ids(format);
  const ExportedModel exported = exported_model(pretrained, chat_template, stop_ids);
  if (gguf) check_gguf_export(exported, *gguf);
  dist::CheckpointTensors tensors(folder, layout_of(pretrained.config));
  recipe::FreshFolder fresh(target);
  const auto read = [&](const std::string& name, std::span<float> values) {
    tensors.read(name, 0, values);
  };
  if (gguf) {
    export_gguf(fresh.path() / recipe::kExportedGguf, exported, *gguf, read);
  } else {
    export_pretrained(fresh.path(), exported, dtype, read);
  }
  fresh.publish("");  // no run knows it for its own
  return folder.string() + ": exported to " + out.string() + "\n";
}

std::string_view CkptLsCommand::summary() const {
  return "list the checkpoints in a folder, with what is damaged as far as sizes tell; `ckpt "
         "verify` reads all";
}

std::vector<std::string_view> CkptLsCommand::examples() const {
  return {"xkde_dist ckpt ls runs/quickstart/03-sft/checkpoints",
          "xkde_dist ckpt ls runs/xkde_smollm2/08-orpo/checkpoints"};
}

void CkptLsCommand::define(CLI::App& app) {
  app.add_option("PATH", path, "a folder of checkpoints");
}

void CkptLsCommand::check(std::span<const std::string> /*names*/) { require_path(name(), path); }

int CkptLsCommand::run() {
  print(list_checkpoints(path));
  return 0;
}

std::string_view CkptVerifyCommand::summary() const {
  return "check the sizes and SHA-256 of a checkpoint's files, or of the newest in a folder";
}

std::vector<std::string_view> CkptVerifyCommand::examples() const {
  return {"xkde_dist ckpt verify runs/quickstart/03-sft/checkpoints/step-00000030",
          "xkde_dist ckpt verify runs/quickstart/03-sft/checkpoints"};
}

void CkptVerifyCommand::define(CLI::App& app) {
  app.add_option("PATH", path, "a checkpoint, or a folder of them");
}

void CkptVerifyCommand::check(std::span<const std::string> /*names*/) {
  require_path(name(), path);
}

int CkptVerifyCommand::run() {
  print(verify_checkpoints(path));
  return 0;
}

std::string_view CkptExportCommand::summary() const {
  return "write a checkpoint of any number of ranks as a Hugging Face folder or GGUF file, in one "
         "process";
}

std::vector<std::string_view> CkptExportCommand::examples() const {
  return {
      "xkde_dist ckpt export runs/quickstart/03-sft/checkpoints out --model "
      ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf",
      "xkde_dist ckpt export runs/a/02-sft/checkpoints out --model models/a --gguf Q8_0"};
}

void CkptExportCommand::define(CLI::App& app) {
  app.add_option("CHECKPOINT", path, "a checkpoint, or a folder of them, whose newest is taken");
  app.add_option("OUT_DIR", out, "the folder to write, which must not be there yet");
  app.add_option("--model", model,
                 "the Hugging Face folder or .gguf file that the training began with, where config "
                 "and tokenizer come from")
      ->type_name("MODEL");
  std::vector<std::string> names;
  for (const std::string_view name : names_of(kDtypes)) names.emplace_back(name);
  app.add_option("--dtype", dtype, "bfloat16 (default) or float32")
      ->check(CLI::IsMember(names))
      ->type_name("DTYPE");
  names.clear();
  for (const std::string_view name : names_of(kGgufTypes)) names.emplace_back(name);
  app.add_option("--gguf", gguf, "write model.gguf instead: F32, BF16, Q8_0, Q4_0 or Q4_K_M")
      ->check(CLI::IsMember(names))
      ->excludes("--dtype")
      ->type_name("TYPE");
}

void CkptExportCommand::check(std::span<const std::string> /*names*/) {
  require_path(name(), path);
  XKDE_CHECK(!out.empty(), UsageError, name(), ": expected a folder to write, found none");
  XKDE_CHECK(!model.empty(), UsageError, name(), ": expected --model MODEL, found none");
}

int CkptExportCommand::run() {
  print(export_checkpoint(path, out, model, *value_of(kDtypes, dtype), value_of(kGgufTypes, gguf)));
  return 0;
}

}  // namespace xkde
