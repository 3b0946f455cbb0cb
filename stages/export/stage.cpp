#include "stages/export/stage.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/atomic_file.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "core/model/pretrained/export.h"
#include "core/model/pretrained/peft_adapter.h"
#include "stages/export/base_model.h"
#include "stages/export/model_card.h"
#include "stages/report/run_results.h"
#include "stages/run/fresh_folder.h"
#include "stages/run/stage_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// Into a new file, which has no rights of the old one.
void copy_content(const fs::path& from, const fs::path& to) {
  const FileHandle in = open_to_read(from, FileOrigin::kInput);
  FileHandle out = FileHandle::open(to, OpenMode::kCreate);
  std::vector<char> piece(size_t{1} << 20);
  while (const size_t got = in.read_some(piece)) out.write_all({piece.data(), got});
  out.close();
}

/// Throws ConfigError where there is no adapter that others could put on the model's files.
void check_adapter(bool has_adapter, bool is_base_pretrained) {
  const std::string place = std::string(ExportStage::kName) + ".adapter";
  XKDE_CHECK(has_adapter, ConfigError, place,
             ": expected a model with an adapter, found one without; a stage with lora above this "
             "one makes one");
  XKDE_CHECK(is_base_pretrained, ConfigError, place,
             ": expected an adapter of the model's files, found one of weights that a stage has "
             "trained; export.path writes the model with its adapter merged in");
}

/// Describes `exported`, what stage `folder` of the run writes.
void write_card(const fs::path& exported, const fs::path& folder, CardSubject subject,
                std::string_view stored_as, const RunContext& context) {
  const BaseModel base = base_model_of(context.recipe().model.model_name_or_path);
  const report::RunResults run = report::read_run(folder.parent_path());
  write_file_atomically(exported / kModelCard,
                        model_card(run, folder.filename().string(), base, subject, stored_as));
}

/// What marks the exports of stage `folder`.
std::string origin_of(const fs::path& folder) {
  const std::optional<Fingerprint> fingerprint = fingerprint_in(folder);
  XKDE_CHECK(fingerprint.has_value(), InternalError, folder.string(),
             ": expected the fingerprint of a stage that runs, found none");
  return origin_id(fingerprint->covers, ExportStage::kName);
}

void export_adapter(const ExportStage& stage, const fs::path& folder, RunContext& context) {
  RunWeights& weights = context.weights();
  check_adapter(weights.lora() != nullptr, weights.is_base_pretrained());
  const std::map<std::string, at::Tensor> matrices = weights.gather_adapter(context.options());
  if (!context.is_root()) return;
  FreshFolder fresh(stage.adapter);
  write_peft_adapter(fresh.path(), context.recipe().model.model_name_or_path.string(),
                     context.decoder().config(), *weights.lora(),
                     [&](const std::string& name, std::span<float> out) {
                       const at::Tensor& tensor = matrices.at(name);
                       std::copy_n(tensor.const_data_ptr<float>(), out.size(), out.data());
                     });
  write_card(fresh.path(), folder, CardSubject::kAdapter, name_of(kDtypes, Dtype::kFloat32),
             context);
  fresh.publish(origin_of(folder));
  log::info("export: " + stage.adapter.string());
}

/// The run's model as it is exported.
class RunModelParts {
 public:
  explicit RunModelParts(RunContext& context)
      : source_(context.pretrained()),
        stop_ids_(context.stop_ids()),
        chat_template_(context.chat_template().source_for(
            own_template(source_, context.recipe().model.chat_date))) {}
  ExportedModel model() const { return exported_model(source_, chat_template_, stop_ids_); }

 private:
  const PretrainedModel& source_;
  std::vector<int64_t> stop_ids_;
  std::string chat_template_;
};

/// Gives whole tensors.
std::function<void(const std::string&, std::span<float>)> whole(const dist::ReadTensor& weights) {
  return [&weights](const std::string& name, std::span<float> out) { weights(name, 0, out); };
}

}  // namespace

void check_export(const ExportStage& stage, const SurveyInputs& inputs) {
  if (stage.adapter.empty()) return;
  bool has_adapter = !inputs.recipe.model.adapter.empty();
  bool is_base_pretrained = true;
  for (size_t i = 0; i < inputs.stage; ++i) {
    const Stage& above = *inputs.recipe.stages[i];
    if (!above.changes_model()) continue;
    has_adapter = above.adapter() != nullptr;
    is_base_pretrained = is_base_pretrained && has_adapter;
  }
  check_adapter(has_adapter, is_base_pretrained);
}

void check_export_of_model(const ExportStage& stage, const PretrainedModel& model,
                           const ChatTemplate& chat_template) {
  if (!stage.writes_gguf()) return;
  check_gguf_export(exported_model(model, model.chat_template, model.stop_ids(chat_template)),
                    stage.gguf_type);
}

void write_gguf(const fs::path& path, GgufType type, const dist::ReadTensor& weights,
                RunContext& context) {
  const RunModelParts parts(context);
  export_gguf(path, parts.model(), type, whole(weights));
}

void run_export(const ExportStage& stage, const fs::path& folder, RunContext& context) {
  if (!stage.adapter.empty()) export_adapter(stage, folder, context);
  if (stage.path.empty()) return;
  const bool dequantized = stage.merge_into == MergeInto::kDequantized;
  const dist::ReadTensor weights =
      context.weights().weights_for_export(context.options(), dequantized);
  if (!context.is_root()) return;
  FreshFolder fresh(stage.path);
  if (stage.writes_gguf()) {
    write_gguf(fresh.path() / kExportedGguf, stage.gguf_type, weights, context);
  } else {
    const RunModelParts parts(context);
    export_pretrained(fresh.path(), parts.model(), stage.dtype, whole(weights),
                      *size_in_bytes(stage.max_shard_size));
  }
  const bool is_gguf = stage.writes_gguf();
  write_card(fresh.path(), folder, is_gguf ? CardSubject::kGguf : CardSubject::kFolder,
             is_gguf ? name_of(kGgufTypes, stage.gguf_type) : name_of(kDtypes, stage.dtype),
             context);
  if (!stage.memory.empty()) {
    // What its journal holds is not in the file itself yet.
    for (const char* suffix : {"", ".journal"}) {
      const fs::path file = stage.memory.string() + suffix;
      if (*suffix == '\0' || is_there(file, FileOrigin::kInput))
        copy_content(file, (fresh.path() / kExportedMemory).string() + suffix);
    }
  }
  fresh.publish(origin_of(folder));
  log::info("export: " + stage.path.string());
}

}  // namespace xkde::recipe
