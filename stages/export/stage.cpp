#include "stages/export/stage.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/model/pretrained/export.h"

namespace xkde::recipe {

void run_export(const ExportStage& stage, RunContext& context) {
  const std::map<std::string, at::Tensor> masters = context.model().gather_masters();
  if (!context.is_root()) return;
  namespace fs = std::filesystem;
  const fs::path target = stage.path;
  const fs::path fresh = target.string() + ".new";
  fs::remove_all(fresh);
  export_pretrained(fresh, context.decoder().config(), context.tokenizer(),
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
        fs::copy_file(file, (fresh / kExportedMemory).string() + suffix);
    }
  }
  if (fs::exists(target)) {
    XKDE_CHECK(fs::exists(target / "config.json"), IoError, target.string(),
               ": expected no folder or an earlier export, found other files there");
    fs::remove_all(target);
  }
  fs::rename(fresh, target);
  log::info("export: " + target.string());
}

}  // namespace xkde::recipe
