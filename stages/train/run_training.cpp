#include "stages/train/run_training.h"

#include "core/base/log.h"
#include "core/base/stop_signals.h"
#include "core/nn/device_memory.h"
#include "core/nn/products.h"
#include "distributed/comm/typed_gather.h"
#include "stages/train/finished_training.h"

namespace xkde::recipe {

void run_training(TrainTask& task, const TrainKeys& keys, bool keep_best, const DevOptions& dev,
                  const std::filesystem::path& folder, RunContext& context) {
  dist::Communicator& comm = context.comm();
  dist::RunModel& model = context.model_to_train(keys.lora, task.name() + ".lora");
  const Decoder& decoder = context.decoder();
  const ModelConfig& config = decoder.config();
  const double rate = measure_matmul_rate(context.compute_dtype(), context.device());
  const TrainHost host{
      .comm = comm,
      .model = model,
      .folder = folder,
      .keeps_best = keep_best,
      .logging_steps = context.recipe().logging_steps,
      .writes_events = context.recipe().reports_to(Reporter::kTensorBoard),
      .compare_copies = context.recipe().parallel.compare_copies,
      .facts = {{"seed", context.recipe().seed}, {"recipe", resolved(context.recipe())}},
      .stop_requested = stop_requested,
      .save_requested = take_save_request,
      .block_parameters = static_cast<double>(decoder.block_parameters()),
      .head_parameters = static_cast<double>(config.vocab_size * config.hidden_size),
      .operations = keys.lora ? 4.0 : 6.0,
      .matmul_rate = dist::sum_of_ranks(comm, rate),
      .baseline_bytes = dist::largest_of_ranks(comm, context.baseline_bytes())};
  const auto best = train(task, keys, dev, host);
  if (!best) {
    restore_training(folder, /*ends_with_best=*/false, keys.lora, context, /*has=*/true);
    return;
  }
  context.weights().use_checkpoint([folder = *best] { return folder; }, keys.lora);
  log::info(task.name() + ": ends with " + best->filename().string() +
            ", which has the lowest dev loss");
}

}  // namespace xkde::recipe
