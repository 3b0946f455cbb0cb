#include <cmath>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/io/json_file.h"
#include "core/io/safetensors.h"
#include "core/optim/lr_schedule.h"
#include "distributed/comm/thread_communicator.h"
#include "distributed/sharding/sharded_model.h"
#include "tests/support/golden_models.h"

namespace xkde::dist {
namespace {

void load(ShardedModel& sharded, const std::string& model) {
  const SafetensorsFile file = SafetensorsFile::open(golden_folder(model) / "model.safetensors");
  sharded.load([&](const std::string& name, int64_t first, std::span<float> out) {
    for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
      if (tensor.name == name) return file.read_f32(tensor, first, out);
    }
    FAIL() << "no tensor " << name;
  });
}

/// ids and labels (-100: none) with weights that add up to one over all sequences.
std::vector<TreeSequence> labelled(const Json& sequences) {
  int64_t count = 0;
  for (const Json& sequence : sequences) {
    const auto ids = sequence.at("ids").get<std::vector<int64_t>>();
    count += static_cast<int64_t>(ids.size()) - sequence.at("prompt_length").get<int64_t>();
  }
  std::vector<TreeSequence> result;
  for (const Json& sequence : sequences) {
    const auto ids = sequence.at("ids").get<std::vector<int64_t>>();
    TreeSequence tree{ids, {}};
    for (auto t = sequence.at("prompt_length").get<int64_t>(); t < static_cast<int64_t>(ids.size());
         ++t) {
      tree.labels.push_back({t - 1, ids[static_cast<size_t>(t)], 1.0 / static_cast<double>(count)});
    }
    result.push_back(std::move(tree));
  }
  return result;
}

class GoldenGradients : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, GoldenGradients, testing::ValuesIn(golden_models()), golden_name);

TEST_P(GoldenGradients, LossAndEveryGradientEqualThoseOfTransformers) {
  const std::string name = GetParam();
  const Decoder decoder(golden_config(name));
  const Json golden = read_json_file(golden_folder(name) / "golden.json");
  const SafetensorsFile file = SafetensorsFile::open(golden_folder(name) / "golden.safetensors");
  run_ranks(1, [&](Communicator& comm) {
    ShardedModel model(decoder, comm, {});
    load(model, name);
    const std::vector<TreeSequence> sequences = labelled(golden["sequences"]);

    model.begin_step();
    double loss = 0;
    const std::vector<PackedBatch> packs = pack_sequences(sequences, {});
    for (const PackedBatch& batch : packs) {
      loss += model.forward_backward(&batch, &batch == &packs.back()).item<double>();
    }

    EXPECT_NEAR(loss, golden["loss"].get<double>(), 1e-5);
    int64_t compared = 0;
    for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
      if (!tensor.name.starts_with("grad.")) continue;
      for (const UnitLayout& unit : model.layout().units) {
        for (const TensorSlot& slot : unit.slots) {
          if ("grad." + slot.name != tensor.name) continue;
          at::Tensor expected = at::empty({slot.numel}, at::kFloat);
          file.read_f32(tensor,
                        {expected.mutable_data_ptr<float>(), static_cast<size_t>(slot.numel)});
          const at::Tensor got =
              model.gradient().narrow(0, unit.shard_offset + slot.offset, slot.numel);
          EXPECT_LT((got - expected).abs().max().item<float>(), 1e-5F) << slot.name;
          ++compared;
        }
      }
    }
    int64_t slots = 0;
    for (const UnitLayout& unit : model.layout().units) {
      slots += static_cast<int64_t>(unit.slots.size());
    }
    EXPECT_EQ(compared, slots);
  });
}

class GoldenTraining : public testing::TestWithParam<std::tuple<const char*, const char*, int>> {};
INSTANTIATE_TEST_SUITE_P(TenSteps, GoldenTraining,
                         testing::Combine(testing::Values("llama_untied", "qwen2_tied",
                                                          "qwen3_tied", "gemma3"),
                                          testing::Values("training.json", "training_decay.json"),
                                          testing::Values(1, 3)));

TEST_P(GoldenTraining, LossesAndNormsEqualThoseOfPlainPyTorch) {
  const auto [name, file, ranks] = GetParam();
  const Decoder decoder(golden_config(name));
  const Json golden = read_json_file(golden_folder(name) / file);
  run_ranks(ranks, [&, model_name = std::string(name), size = ranks](Communicator& comm) {
    ShardedModel model(decoder, comm, {});
    load(model, model_name);
    AdamW optimizer(model.layout().state_numel,
                    {.beta1 = golden["adam_beta1"].get<double>(),
                     .beta2 = golden["adam_beta2"].get<double>(),
                     .epsilon = golden["adam_epsilon"].get<double>(),
                     .weight_decay = golden["weight_decay"].get<double>()},
                    model.decay_ranges());
    size_t step = 0;
    for (const Json& expected : golden["steps"]) {
      const std::vector<TreeSequence> all = labelled(expected["batch"]);
      std::vector<TreeSequence> part;
      for (size_t i = 0; i < all.size(); ++i) {
        if (static_cast<int>(i) % size == comm.rank()) part.push_back(all[i]);
      }
      const auto packs = pack_sequences(part, {});
      model.begin_step();
      at::Tensor loss = at::zeros({1}, at::kDouble);
      loss += model.forward_backward(packs.empty() ? nullptr : &packs.front(), true).item<double>();
      comm.all_reduce(loss, ReduceOp::kSum)->wait();
      const at::Tensor norm = model.finish_gradients();
      optimizer.step(model.master(), model.gradient(), expected["learning_rate"].get<double>(),
                     clip_scale(norm, 1.0));
      model.masters_changed();

      EXPECT_NEAR(loss.item<double>(), expected["loss"].get<double>(), 1e-5) << "step " << step;
      EXPECT_NEAR(norm.item<double>(), expected["grad_norm"].get<double>(), 1e-4)
          << "step " << step;
      ++step;
    }
    EXPECT_EQ(step, 10U);
  });
}

}  // namespace
}  // namespace xkde::dist
