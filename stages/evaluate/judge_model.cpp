#include "stages/evaluate/judge_model.h"

#include <cmath>
#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/model/token_tree.h"
#include "distributed/comm/agreement.h"
#include "distributed/sharding/adapter_model.h"
#include "stages/run/run_place.h"

namespace xkde::recipe {
namespace {

/// Each rank holds all, and nobody trains.
dist::EngineOptions engine_of(const JudgeOptions& options, const dist::EngineOptions& engine) {
  return {.compute_dtype = scalar_type(options.dtype),
          .shard = dist::ShardMode::kNone,
          .device = engine.device};
}

}  // namespace

JudgeModel::JudgeModel(const JudgeOptions& options, dist::Communicator& comm,
                       const dist::EngineOptions& engine)
    : options_(options),
      comm_(comm),
      engine_(engine_of(options, engine)),
      pretrained_(open_pretrained(options.model_name_or_path)),
      chat_template_(judge_template(pretrained_, options)),
      encoder_(pretrained_.tokenizer, chat_template_, pretrained_.path.string()),
      decoder_(pretrained_.config) {}

void JudgeModel::load() {
  auto model = std::make_unique<dist::AdapterModel>(decoder_, comm_, engine_, std::nullopt);
  const std::string place = pretrained_.path.string();
  const dist::ReadTensor read = [&](const std::string& name, int64_t first, std::span<float> out) {
    check_stop();
    read_finite_f32(*pretrained_.weights, place, name, first, out);
  };
  dist::agree_on(comm_, [&] { model->load_base({.values = read}); });
  model->make_resident();
  model_ = std::move(model);
}

JudgeModel::Judged JudgeModel::judge(std::span<const JudgeQuestion> questions) {
  Judged judged;
  judged.verdicts.resize(questions.size());
  std::vector<TreeSequence> sequences;
  std::vector<size_t> places;
  for (size_t i = 0; i < questions.size(); ++i) {
    TreeSequence sequence{encoder_.ids(questions[i]), {}};
    const int64_t length = std::ssize(sequence.ids);
    if (length > decoder_.config().context_length()) continue;
    sequence.labels.push_back({length - 1, encoder_.yes_id(), 0.0});
    judged.tokens += length;
    sequences.push_back(std::move(sequence));
    places.push_back(i);
  }
  const PackOptions packs{.share_prefixes = true,
                          .max_tokens = options_.max_tokens_per_batch,
                          .max_sequences = 0,
                          .device = engine_.device};
  const at::Tensor words =
      at::tensor({encoder_.yes_id(), encoder_.no_id()}, at::kLong).to(engine_.device);
  for (const PackedBatch& batch : pack_sequences(sequences, packs)) {
    const at::Tensor log_probs = model_->label_log_probs(batch, words).cpu();  // [L, 2]
    const float* values = log_probs.const_data_ptr<float>();
    for (size_t i = 0; i < batch.label_sequence.size(); ++i) {
      const size_t place = places[static_cast<size_t>(batch.label_sequence[i])];
      const float yes = values[2 * i], no = values[2 * i + 1];
      XKDE_CHECK(std::isfinite(yes) && std::isfinite(no), NumericError, pretrained_.path.string(),
                 ": asked about ", questions[place].question,
                 ": expected finite log-probabilities, found NaN or infinity");
      judged.verdicts[place] = JudgeVerdict{yes, no};
    }
    judged.computed += batch.num_tokens();
  }
  return judged;
}

}  // namespace xkde::recipe
