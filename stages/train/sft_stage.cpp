#include "stages/train/sft_stage.h"

#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/data/epoch_sampler.h"
#include "core/data/sft_sample.h"
#include "core/io/file_reader.h"
#include "distributed/comm/agreement.h"
#include "stages/train/finished_training.h"
#include "stages/train/run_training.h"
#include "stages/train/sft_batch.h"
#include "stages/train/sft_samples.h"

namespace xkde::recipe {
namespace {

class SftTask final : public TrainTask {
 public:
  SftTask(const SftStage& stage, RunContext& context, std::vector<SftSample> samples)
      : stage_(stage),
        context_(context),
        samples_(std::move(samples)),
        sampler_(static_cast<uint64_t>(context.recipe().seed), std::ssize(samples_),
                 stage.global_batch(context.comm().size()), stage.last_batch == LastBatch::kWrap) {}

  std::string name() const override { return "sft"; }
  int64_t steps_per_epoch() const override { return sampler_.steps_per_epoch(); }

  TrainStep step(int64_t epoch, int64_t step) override {
    const std::vector<int64_t> batch = sampler_.batch(epoch, step);
    TrainStep work;
    const int rank = context_.comm().rank();
    for (PackedBatch& pack :
         packs_of_step(stage_, samples_, batch, rank, context_.comm().size(), context_.device())) {
      // Without labelled_head there are labels of weight 0: the loss does not need them.
      if (stage_.lora && stage_.lora->dropout > 0) {
        add_dropout_seeds(pack, static_cast<uint64_t>(context_.recipe().seed),
                          epoch * steps_per_epoch() + step);
      }
      const int64_t labels = stage_.labelled_head
                                 ? pack.label_rows.size(0)
                                 : at::count_nonzero(pack.label_weights).item<int64_t>();
      work.packs.push_back({std::move(pack), nullptr, labels});
    }
    work.samples = std::ssize(batch);
    for (const int64_t index : batch) {
      work.tokens += std::ssize(samples_[static_cast<size_t>(index)].ids);
    }
    return work;
  }

 private:
  const SftStage& stage_;
  RunContext& context_;
  std::vector<SftSample> samples_;
  EpochSampler sampler_;
};

}  // namespace

void run_sft(const SftStage& stage, const std::filesystem::path& folder, RunContext& context) {
  const std::filesystem::path file = stage.uses_built_data()
                                         ? context.artifacts().file(ArtifactKind::kTrainData)
                                         : std::filesystem::path(stage.train_data);
  const FileOrigin origin = stage.uses_built_data() ? FileOrigin::kOwn : FileOrigin::kInput;
  std::vector<SftSample> samples;
  int64_t left_out = 0;
  dist::agree_on(context.comm(), [&] {
    LoadedData& files = context.data().files;
    const std::vector<Conversation>& conversations = read_as(
        origin, [&]() -> auto& { return files.conversations(file); });
    samples = encode_samples(conversations, file.string(), stage, context.pretrained(),
                             context.chat_template(), &left_out);
  });
  if (left_out > 0)
    log::info(concat("sft: left out ", left_out, " of ", left_out + std::ssize(samples),
                     " samples, whose question leaves no place for an answer within max_length"));
  SftTask task(stage, context, std::move(samples));
  run_training(task, stage, stage.keep_best, {}, folder, context);
}

void restore_sft(const SftStage& stage, const std::filesystem::path& folder, RunContext& context) {
  restore_training(folder, /*ends_with_best=*/false, stage.lora, context);
}

}  // namespace xkde::recipe
