#include "stages/export/stage.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "core/base/log.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "core/model/pretrained/export.h"
#include "stages/run/fresh_folder.h"

namespace xkde::recipe {
namespace {

/// Into a new file, which has no rights of the old one.
void copy_content(const std::filesystem::path& from, const std::filesystem::path& to) {
  const FileHandle in = open_to_read(from, FileOrigin::kInput);
  FileHandle out = FileHandle::open(to, OpenMode::kCreate);
  std::vector<char> piece(size_t{1} << 20);
  while (const size_t got = in.read_some(piece)) out.write_all({piece.data(), got});
  out.close();
}

}  // namespace

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
      if (*suffix == '\0' || is_there(file, FileOrigin::kInput))
        copy_content(file, (fresh.path() / kExportedMemory).string() + suffix);
    }
  }
  fresh.publish();
  log::info("export: " + stage.path.string());
}

}  // namespace xkde::recipe
