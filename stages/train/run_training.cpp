#include "stages/train/run_training.h"

#include "core/base/log.h"
#include "core/base/stop_signals.h"
#include "core/nn/device_memory.h"
#include "core/nn/matmul_rate.h"
#include "distributed/comm/typed_gather.h"

namespace xkde::recipe {

void run_training(TrainTask& task, const TrainKeys& keys, bool keep_best, const DevOptions& dev,
                  const std::filesystem::path& folder, RunContext& context) {
  dist::Communicator& comm = context.comm();
  dist::ShardedModel& model = context.model();
  const Decoder& decoder = context.decoder();
  const ModelConfig& config = decoder.config();
  const double rate = measure_matmul_rate(context.compute_dtype(), context.device());
  const TrainHost host{
      .comm = comm,
      .model = model,
      .folder = folder,
      .keeps_best = keep_best,
      .logging_steps = context.recipe().logging_steps,
      .compare_copies = context.recipe().parallel.compare_copies,
      .facts = {{"seed", context.recipe().seed}, {"recipe", resolved(context.recipe())}},
      .stop_requested = stop_requested,
      .save_requested = take_save_request,
      .block_parameters = static_cast<double>(decoder.block_parameters()),
      .head_parameters = static_cast<double>(config.vocab_size * config.hidden_size),
      .matmul_rate = dist::sum_of_ranks(comm, rate),
      .baseline_bytes = dist::largest_of_ranks(comm, context.baseline_bytes())};
  const auto best = train(task, keys, dev, host);
  if (!best) return;
  context.use_checkpoint([folder = *best] { return folder; });
  log::info(task.name() + ": ends with " + best->filename().string() +
            ", which has the lowest dev loss");
}

}  // namespace xkde::recipe
