#include "distributed/sharding/adapter_model.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/io/blocks/block_formats.h"
#include "core/io/blocks/half_floats.h"
#include "core/io/json_file.h"
#include "core/io/safetensors.h"
#include "core/model/pretrained/peft_adapter.h"
#include "distributed/comm/thread_communicator.h"
#include "distributed/sharding/sharded_model.h"
#include "tests/support/odd_model.h"

namespace xkde::dist {
namespace {

namespace fs = std::filesystem;

fs::path golden(const std::string& kind, const std::string& model) {
  return fs::path(XKDE_SOURCE_DIR) / "tests/golden" / kind / model;
}

ModelConfig config_of(const std::string& model) {
  const fs::path file = golden("models", model) / "config.json";
  return ModelConfig::from_json(read_json_file(file), file.string());
}

ReadTensor reader_of(const SafetensorsFile& file) {
  return [&file](const std::string& name, int64_t first, std::span<float> out) {
    for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
      if (tensor.name == name) return file.read_f32(tensor, first, out);
    }
    FAIL() << "no tensor " << name;
  };
}

at::Tensor read(const SafetensorsFile& file, const std::string& name, at::IntArrayRef shape) {
  at::Tensor values = at::empty(shape, at::kFloat);
  reader_of(file)(name, 0, {values.mutable_data_ptr<float>(), static_cast<size_t>(values.numel())});
  return values;
}

void load(AdapterModel& model, const std::string& name) {
  const SafetensorsFile base = SafetensorsFile::open(golden("models", name) / "model.safetensors");
  model.load_base({.values = reader_of(base)});
  const PeftAdapter adapter = PeftAdapter::open(golden("lora", name), config_of(name));
  model.load([&](const std::string& tensor, int64_t first, std::span<float> out) {
    adapter.read(tensor, first, out);
  });
}

LoraOptions options_of(const std::string& name) {
  return PeftAdapter::open(golden("lora", name), config_of(name)).options();
}

/// ids with a label for each token behind the prompt; the weights add up to one.
std::vector<TreeSequence> labelled(const Json& sequences) {
  int64_t count = 0;
  for (const Json& sequence : sequences) {
    count += std::ssize(sequence.at("ids").get<std::vector<int64_t>>()) -
             sequence.at("prompt_length").get<int64_t>();
  }
  std::vector<TreeSequence> result;
  for (const Json& sequence : sequences) {
    TreeSequence tree{sequence.at("ids").get<std::vector<int64_t>>(), {}};
    for (auto t = sequence.at("prompt_length").get<int64_t>(); t < std::ssize(tree.ids); ++t) {
      tree.labels.push_back(
          {t - 1, tree.ids[static_cast<size_t>(t)], 1.0 / static_cast<double>(count)});
    }
    result.push_back(std::move(tree));
  }
  return result;
}

class GoldenAdapters : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(OfPeft, GoldenAdapters,
                         testing::Values("llama_untied", "qwen2_tied", "llama_linear_rope_biases",
                                         "gemma3", "phi3_window"));

TEST_P(GoldenAdapters, LossAndEveryGradientEqualThoseOfPeft) {
  const std::string name = GetParam();
  const Decoder decoder(config_of(name));
  const Json expected = read_json_file(golden("lora", name) / "golden.json");
  const SafetensorsFile file = SafetensorsFile::open(golden("lora", name) / "golden.safetensors");
  run_ranks(1, [&](Communicator& comm) {
    AdapterModel model(decoder, comm, {}, options_of(name));
    load(model, name);
    model.begin_step();
    double loss = 0;
    const auto packs = pack_sequences(labelled(expected["sequences"]), {});
    for (const PackedBatch& batch : packs) {
      loss += model.forward_backward(&batch, &batch == &packs.back()).item<double>();
    }

    EXPECT_NEAR(loss, expected["loss"].get<double>(), 1e-5);
    for (const UnitLayout& unit : model.layout().units) {
      for (const TensorSlot& slot : unit.slots) {
        const at::Tensor got =
            model.gradient().narrow(0, unit.shard_offset + slot.offset, slot.numel);
        EXPECT_LT((got - read(file, "grad." + slot.name, {slot.numel})).abs().max().item<float>(),
                  1e-5F)
            << slot.name;
      }
    }
  });
}

TEST_P(GoldenAdapters, MergedWeightsGiveTheLogitsOfPeft) {
  const std::string name = GetParam();
  const Decoder decoder(config_of(name));
  const Json expected = read_json_file(golden("lora", name) / "golden.json");
  const SafetensorsFile file = SafetensorsFile::open(golden("lora", name) / "golden.safetensors");
  for (const ShardMode shard : {ShardMode::kFull, ShardMode::kNone}) {
    run_ranks(2, [&](Communicator& comm) {
      const c10::AutoGradMode without_graph(false);
      AdapterModel model(decoder, comm, {.shard = shard}, options_of(name));
      load(model, name);
      model.make_resident();
      const auto weights = [&](size_t unit) { return model.resident_parameters(unit); };
      for (size_t i = 0; i < expected["sequences"].size(); ++i) {
        const TreeSequence sequence{expected["sequences"][i]["ids"].get<std::vector<int64_t>>(),
                                    {}};
        const PackedBatch batch = pack_sequences({&sequence, 1}, {}).front();
        const at::Tensor x = decoder.forward(batch.input_ids, decoder.context(batch, at::kFloat),
                                             {.weights = weights});
        const at::Tensor got = decoder.logits(x, weights);
        const at::Tensor logits = read(file, concat("logits.", i), got.sizes());
        // fp32, in another order of sums: logits are of size 3.
        EXPECT_LT((got - logits).abs().max().item<float>(), 3e-5F) << name << " " << i;
      }
    });
  }
}

struct StepNumbers {
  double loss = 0.0;  ///< of all ranks
  double norm = 0.0;
};

/// A step of all ranks over `rounds` packs: those behind a rank's own are empty.
StepNumbers take_step(AdapterModel& model, AdamW& optimizer, Communicator& comm,
                      const std::vector<PackedBatch>& packs, size_t rounds, double rate) {
  model.begin_step();
  at::Tensor loss = at::zeros({1}, at::kDouble);
  for (size_t i = 0; i < rounds; ++i) {
    loss += model.forward_backward(i < packs.size() ? &packs[i] : nullptr, i + 1 == rounds)
                .item<double>();
  }
  comm.all_reduce(loss, ReduceOp::kSum)->wait();
  const at::Tensor norm = model.finish_gradients();
  optimizer.step(model.master(), model.gradient(), rate, clip_scale(norm, 1.0));
  model.masters_changed();
  return {loss.item<double>(), norm.item<double>()};
}

class AdapterTraining : public testing::TestWithParam<std::tuple<const char*, int, ShardMode>> {};
INSTANTIATE_TEST_SUITE_P(
    SixSteps, AdapterTraining,
    testing::Combine(testing::Values("llama_untied", "qwen2_tied", "gemma3", "phi3_window"),
                     testing::Values(1, 3),
                     testing::Values(ShardMode::kFull, ShardMode::kGrads, ShardMode::kOptimizer,
                                     ShardMode::kNone)));

TEST_P(AdapterTraining, LossesAndNormsEqualThoseOfPeft) {
  const auto [name, ranks, shard] = GetParam();
  const Decoder decoder(config_of(name));
  const Json expected = read_json_file(golden("lora", name) / "training.json");
  for (const Recompute recompute : {Recompute::kBlock, Recompute::kNone}) {
    const EngineOptions engine{.shard = shard, .recompute = recompute};
    run_ranks(ranks, [&, model_name = std::string(name), size = ranks](Communicator& comm) {
      AdapterModel model(decoder, comm, engine, options_of(model_name));
      load(model, model_name);
      AdamW optimizer(model.layout().state_numel,
                      {.beta1 = expected["adam_beta1"].get<double>(),
                       .beta2 = expected["adam_beta2"].get<double>(),
                       .epsilon = expected["adam_epsilon"].get<double>(),
                       .weight_decay = expected["weight_decay"].get<double>()},
                      model.decay_ranges());
      const at::Tensor base = model.base().state().clone();
      size_t step = 0;
      for (const Json& line : expected["steps"]) {
        const std::vector<TreeSequence> all = labelled(line["batch"]);
        const auto packs = pack_sequences(part_of(all, comm.rank(), size), {.max_sequences = 1});
        const StepNumbers numbers = take_step(model, optimizer, comm, packs, all.size(),
                                              expected["learning_rate"].get<double>());
        EXPECT_NEAR(numbers.loss, line["loss"].get<double>(), 1e-5) << "step " << step;
        EXPECT_NEAR(numbers.norm, line["grad_norm"].get<double>(), 1e-4) << "step " << step;
        ++step;
      }
      EXPECT_EQ(step, 6U);
      EXPECT_TRUE(model.base().state().equal(base));
    });
  }
}

/// Losses of three steps, with dropout.
std::vector<double> dropped_losses(int ranks, EngineOptions options, PackOptions pack,
                                   double rate = 0.3) {
  const Decoder decoder(odd_config(true));
  std::vector<double> losses;
  run_ranks(ranks, [&](Communicator& comm) {
    AdapterModel model(decoder, comm, options, LoraOptions{.r = 4, .alpha = 40, .dropout = rate});
    model.load_base({.values = random_weights});
    model.load(random_weights);
    AdamW optimizer(model.layout().state_numel, {}, model.decay_ranges());
    const auto all = random_sequences(6);
    for (int64_t step = 0; step < 3; ++step) {
      std::vector<PackedBatch> packs = pack_sequences(part_of(all, comm.rank(), ranks), pack);
      for (PackedBatch& batch : packs) {
        if (rate > 0) add_dropout_seeds(batch, 5, step);
      }
      const StepNumbers numbers = take_step(model, optimizer, comm, packs, all.size(), 1e-2);
      if (comm.rank() == 0) losses.push_back(numbers.loss);
    }
  });
  return losses;
}

TEST(AdapterModel, DropsTheSameInputsOnAnyNumberOfRanksAndInAnyPack) {
  const auto plain = dropped_losses(1, {}, {.share_prefixes = false, .max_sequences = 1});
  ASSERT_EQ(plain.size(), 3U);
  const auto none = dropped_losses(1, {}, {}, 0.0);
  EXPECT_GT(std::abs(plain[0] - none[0]), 1e-3);

  for (const int ranks : {1, 2, 3}) {
    for (const Recompute recompute : {Recompute::kBlock, Recompute::kNone}) {
      const auto got = dropped_losses(ranks, {.shard = ShardMode::kFull, .recompute = recompute},
                                      {.max_sequences = 3});
      for (size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(got[i], plain[i], 1e-5) << i;
    }
  }
}

TEST(AdapterModel, ANewAdapterChangesNothing) {
  for (const bool tied : {true, false}) {
    const Decoder decoder(odd_config(tied));
    const auto packs = pack_sequences(random_sequences(4), {});
    run_ranks(2, [&](Communicator& comm) {
      ShardedModel full(decoder, comm, {});
      full.load(random_weights);
      AdapterModel model(decoder, comm, {}, LoraOptions{.r = 4});
      model.load_base({.values = random_weights});
      model.begin_adapter(3);

      EXPECT_TRUE(model.log_probs(&packs.front()).equal(full.log_probs(&packs.front())));
      full.make_resident();
      model.make_resident();
      EXPECT_TRUE(model.predict(packs.front()).equal(full.predict(packs.front())));
    });
  }
}

TEST(AdapterModel, IsAskedWithoutAnAdapterToo) {
  const Decoder decoder(odd_config(true));
  const auto packs = pack_sequences(random_sequences(4), {});
  run_ranks(2, [&](Communicator& comm) {
    ShardedModel full(decoder, comm, {.compute_dtype = at::kBFloat16});
    full.load(random_weights);
    AdapterModel model(decoder, comm, {.compute_dtype = at::kBFloat16}, std::nullopt);
    model.load_base({.values = random_weights});
    full.make_resident();
    model.make_resident();

    EXPECT_TRUE(model.predict(packs.front()).equal(full.predict(packs.front())));
    EXPECT_EQ(model.layout().state_numel, 0);
    EXPECT_EQ(model.base().state().scalar_type(), at::kBFloat16);
  });
}

TEST(AdapterModel, RefusesATargetThatTheModelLacks) {
  const Decoder decoder(odd_config(true));
  EXPECT_THROW(run_ranks(1,
                         [&](Communicator& comm) {
                           AdapterModel(decoder, comm, {},
                                        LoraOptions{.target_modules = {"c_attn"}});
                         }),
               ConfigError);
}

/// Rows of whole blocks of every format.
ModelConfig block_config(bool tied) {
  ModelConfig config = odd_config(tied);
  config.hidden_size = 256;
  config.intermediate_size = 256;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 64;
  return config;
}

/// As a file mixes them: several formats, one matrix without any, and no vector has one.
const BlockFormat* mixed_format(const std::string& name) {
  if (!name.ends_with("proj.weight") && !name.ends_with("tokens.weight") &&
      !name.ends_with("head.weight"))
    return nullptr;
  if (name.ends_with("0.self_attn.o_proj.weight")) return nullptr;
  if (name.ends_with("down_proj.weight")) return block_format("Q6_K");
  return block_format(name.ends_with("tokens.weight") ? "Q8_0" : "Q4_K");
}

/// Blocks of random numbers, whose scales give values of a model's size.
void random_blocks(const std::string& name, std::span<std::byte> out) {
  const BlockFormat& format = *mixed_format(name);
  RandomStream random(13, name);
  for (std::byte& byte : out) byte = static_cast<std::byte>(random.below(256));
  const auto put = [&](std::byte* block, int64_t at, float value) {
    const uint16_t bits = half_from_float(value);
    std::memcpy(block + at, &bits, sizeof bits);
  };
  for (size_t i = 0; i < out.size(); i += static_cast<size_t>(format.bytes)) {
    std::byte* block = out.data() + i;
    if (format.name == "Q8_0") put(block, 0, 0x1p-10F);
    if (format.name == "Q6_K") put(block, 208, 0x1p-15F);
    if (format.name != "Q4_K") continue;
    put(block, 0, 0x1p-12F);
    put(block, 2, 0x1p-9F);
  }
}

void decoded_blocks(const std::string& name, int64_t first, std::span<float> out) {
  const BlockFormat* format = mixed_format(name);
  if (format == nullptr) return random_weights(name, first, out);
  const auto values = static_cast<size_t>(format->values);
  const size_t blocks = (static_cast<size_t>(first) + out.size() + values - 1) / values;
  std::vector<std::byte> bytes(blocks * static_cast<size_t>(format->bytes));
  std::vector<float> decoded(blocks * values);
  random_blocks(name, bytes);
  format->decode(bytes.data(), decoded.data(), blocks);
  std::copy_n(decoded.begin() + first, out.size(), out.begin());
}

/// Losses, norms, the trained adapter and what the model then predicts.
struct Outcome {
  std::vector<double> numbers;
  at::Tensor adapter, predicted;
  int64_t state_bytes = 0;
};

Outcome trained(int ranks, bool tied, EngineOptions options, bool in_blocks) {
  const Decoder decoder(block_config(tied));
  Outcome outcome;
  run_ranks(ranks, [&](Communicator& comm) {
    AdapterModel model(decoder, comm, options, LoraOptions{.r = 4, .alpha = 8},
                       in_blocks ? BlockFormatOf(mixed_format) : nullptr);
    if (in_blocks) {
      model.load_base({.values = random_weights, .blocks = random_blocks});
    } else {
      model.load_base({.values = decoded_blocks});
    }
    model.load(random_weights);
    AdamW optimizer(model.layout().state_numel, {}, model.decay_ranges());
    const auto all = random_sequences(4);
    const auto packs = pack_sequences(part_of(all, comm.rank(), ranks), {.max_sequences = 1});
    std::vector<double> numbers;
    for (int64_t step = 0; step < 3; ++step) {
      if (step == 1) model.make_resident();  // between two steps, as an evaluation
      const StepNumbers step_numbers = take_step(model, optimizer, comm, packs, all.size(), 1e-3);
      numbers.insert(numbers.end(), {step_numbers.loss, step_numbers.norm});
    }
    model.make_resident();
    const at::Tensor predicted = model.predict(pack_sequences(all, {}).front());
    if (comm.rank() != 0) return;
    outcome = {numbers, model.master().clone(), predicted,
               static_cast<int64_t>(model.base().state().nbytes())};
  });
  return outcome;
}

class AdapterOverBlocks : public testing::TestWithParam<std::tuple<int, ShardMode>> {};
INSTANTIATE_TEST_SUITE_P(Modes, AdapterOverBlocks,
                         testing::Combine(testing::Values(1, 3),
                                          testing::Values(ShardMode::kFull, ShardMode::kGrads,
                                                          ShardMode::kNone)));

TEST_P(AdapterOverBlocks, TrainsBitForBitAsOverTheDecodedWeights) {
  const auto [ranks, shard] = GetParam();
  for (const bool tied : {false, true}) {
    for (const Recompute recompute : {Recompute::kBlock, Recompute::kNone}) {
      const EngineOptions options{.compute_dtype = tied ? at::kBFloat16 : at::kFloat,
                                  .shard = shard,
                                  .recompute = recompute,
                                  .prefetch = tied ? 1 : 0};
      const Outcome plain = trained(ranks, tied, options, false);
      const Outcome blocks = trained(ranks, tied, options, true);

      ASSERT_EQ(plain.numbers.size(), 6U);
      EXPECT_LT(plain.numbers[4], plain.numbers[0]);
      EXPECT_EQ(blocks.numbers, plain.numbers);
      EXPECT_TRUE(blocks.adapter.equal(plain.adapter));
      EXPECT_TRUE(blocks.predicted.equal(plain.predicted));
      EXPECT_LT(blocks.state_bytes, plain.state_bytes);
    }
  }
}

}  // namespace
}  // namespace xkde::dist
