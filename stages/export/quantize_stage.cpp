#include "stages/export/quantize_stage.h"

#include <span>
#include <string>
#include <vector>

#include "distributed/comm/agreement.h"
#include "stages/export/stage.h"

namespace xkde::recipe {

void check_quantize(const QuantizeStage& stage, const PretrainedModel& model,
                    const ChatTemplate& chat_template) {
  check_gguf_export(exported_model(model, model.chat_template, model.stop_ids(chat_template)),
                    stage.type);
}

void run_quantize(const QuantizeStage& stage, const std::filesystem::path& folder,
                  RunContext& context) {
  const dist::ReadTensor weights =
      context.weights().weights_for_export(context.options(), /*dequantized=*/false);
  dist::agree_on(context.comm(), [&] {
    if (context.is_root()) write_gguf(folder / kExportedGguf, stage.type, weights, context);
  });
  restore_quantize(stage, folder, context);
}

void restore_quantize(const QuantizeStage& /*stage*/, const std::filesystem::path& folder,
                      RunContext& context) {
  context.weights().use_gguf(folder / kExportedGguf);
}

}  // namespace xkde::recipe
