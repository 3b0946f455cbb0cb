#include "stages/export/stage.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include <ATen/ATen.h>

#include "core/base/log.h"
#include "core/model/pretrained/export.h"
#include "stages/run/fresh_folder.h"

namespace xkde::recipe {

void run_export(const ExportStage& stage, RunContext& context) {
  const std::map<std::string, at::Tensor> masters = context.model().gather_masters();
  if (!context.is_root()) return;
  namespace fs = std::filesystem;
  FreshFolder fresh(stage.path);
  export_pretrained(fresh.path(), context.decoder().config(), context.tokenizer(),
                    context.pretrained().chat_template, stage.dtype,
                    [&](const std::string& name, std::span<float> out) {
                      const at::Tensor& tensor = masters.at(name);
                      std::copy_n(tensor.const_data_ptr<float>(), out.size(), out.data());
                    });
  if (!stage.memory.empty()) {
    // What its journal holds is not in the file itself yet.
    for (const char* suffix : {"", ".journal"}) {
      const fs::path file = stage.memory.string() + suffix;
      if (*suffix == '\0' || fs::exists(file))
        fs::copy_file(file, (fresh.path() / kExportedMemory).string() + suffix);
    }
  }
  fresh.publish();
  log::info("export: " + stage.path.string());
}

}  // namespace xkde::recipe
