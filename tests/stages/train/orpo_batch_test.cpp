#include "stages/train/orpo_batch.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/io/json_file.h"
#include "core/io/safetensors.h"
#include "distributed/comm/thread_communicator.h"
#include "distributed/sharding/sharded_model.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const std::string& model) {
  return fs::path(XKDE_SOURCE_DIR) / "tests/golden/models" / model;
}

void load(dist::ShardedModel& sharded, const std::string& model) {
  const SafetensorsFile file = SafetensorsFile::open(folder_of(model) / "model.safetensors");
  sharded.load([&](const std::string& name, int64_t first, std::span<float> out) {
    for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
      if (tensor.name == name) return file.read_f32(tensor, first, out);
    }
    FAIL() << "no tensor " << name;
  });
}

std::vector<OrpoPair> pairs_of(const Json& golden) {
  std::vector<OrpoPair> pairs;
  for (const Json& pair : golden.at("pairs")) {
    const auto prompt = pair.at("prompt").get<std::vector<int64_t>>();
    pairs.push_back({{prompt, pair.at("chosen").get<std::vector<int64_t>>()},
                     {prompt, pair.at("rejected").get<std::vector<int64_t>>()}});
  }
  return pairs;
}

std::vector<int64_t> all_of(const std::vector<OrpoPair>& pairs) {
  std::vector<int64_t> indices(pairs.size());
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return indices;
}

/// The largest difference to the golden gradients of this rank's share of them.
float largest_error(dist::ShardedModel& model, const std::string& name, int rank) {
  const SafetensorsFile file = SafetensorsFile::open(folder_of(name) / "orpo.safetensors");
  float largest = 0.0F;
  for (const dist::UnitLayout& unit : model.layout().units) {
    for (const dist::TensorSlot& slot : unit.slots) {
      const auto found =
          std::find_if(file.tensors().begin(), file.tensors().end(),
                       [&](const auto& tensor) { return tensor.name == "grad." + slot.name; });
      if (found == file.tensors().end()) return INFINITY;
      at::Tensor expected = at::empty({slot.numel}, at::kFloat);
      file.read_f32(*found, {expected.mutable_data_ptr<float>(), static_cast<size_t>(slot.numel)});
      for (const dist::ShardPiece& piece : pieces_of(model.layout(), unit, slot)) {
        if (piece.shard != rank) continue;
        const at::Tensor got = model.gradient().narrow(0, piece.state_offset, piece.numel);
        const at::Tensor wanted = expected.narrow(0, piece.tensor_offset, piece.numel);
        largest = std::max(largest, (got - wanted).abs().max().item<float>());
      }
    }
  }
  return largest;
}

class GoldenOrpo : public testing::TestWithParam<std::tuple<const char*, int, bool, int>> {};
INSTANTIATE_TEST_SUITE_P(RanksTreesPacks, GoldenOrpo,
                         testing::Combine(testing::Values("llama_untied", "qwen2_tied"),
                                          testing::Values(1, 2, 3), testing::Bool(),
                                          testing::Values(24, 1024)));

TEST_P(GoldenOrpo, LossFiguresAndGradientsEqualPairsOneByOneInPyTorch) {
  const auto [name, ranks, trees, max_tokens] = GetParam();
  const std::string model_name = name;
  const fs::path config_file = folder_of(model_name) / "config.json";
  const Decoder decoder(ModelConfig::from_json(read_json_file(config_file), config_file.string()));
  const Json golden = read_json_file(folder_of(model_name) / "orpo.json");
  const Json figures = golden.at("figures");
  const std::vector<OrpoPair> pairs = pairs_of(golden);
  const OrpoBatchOptions options{.micro_batch = golden.at("micro_batch").get<int64_t>(),
                                 .share_prefixes = trees,
                                 .max_tokens = max_tokens};
  const double beta = golden.at("beta").get<double>();

  dist::run_ranks(ranks, [&](dist::Communicator& comm) {
    dist::ShardedModel model(decoder, comm, {});
    load(model, model_name);
    const std::vector<OrpoPack> packs =
        orpo_packs(pairs, all_of(pairs), options, comm.rank(), comm.size());
    at::Tensor sums = at::zeros({kOrpoSums + 1}, at::kDouble);
    int64_t rounds = 0;
    for (const std::string& count : comm.all_gather_bytes(std::to_string(packs.size()))) {
      rounds = std::max<int64_t>(rounds, std::stoll(count));
    }

    model.begin_step();
    for (int64_t i = 0; i < rounds; ++i) {
      const bool has_pack = i < std::ssize(packs);
      const OrpoPack* pack = has_pack ? &packs[static_cast<size_t>(i)] : nullptr;
      const auto loss = [&](const at::Tensor& log_probs) {
        OrpoLoss value = orpo_loss(log_probs, pack->terms, {.beta = beta});
        sums.narrow(0, 0, kOrpoSums).add_(value.sums);
        return LabelLoss{value.loss, value.weights};
      };
      sums[kOrpoSums] += model.forward_backward(has_pack ? &pack->batch : nullptr, i + 1 == rounds,
                                                has_pack ? LossOfLogProbs(loss) : nullptr);
    }
    model.finish_gradients();
    comm.all_reduce(sums, dist::ReduceOp::kSum)->wait();

    const auto sum = [&](int which) { return sums[which].item<double>(); };
    const double count = sum(kOrpoPairs);
    EXPECT_EQ(count, static_cast<double>(pairs.size()));
    EXPECT_NEAR(sum(kOrpoSums), figures["loss"].get<double>(), 1e-5);
    EXPECT_NEAR(sum(kOrpoNll), figures["nll_loss"].get<double>(), 1e-5);
    EXPECT_NEAR(sum(kOrpoLogOdds) / count, figures["log_odds_chosen"].get<double>(), 1e-5);
    EXPECT_NEAR(sum(kOrpoRatio) / count, figures["log_odds_ratio"].get<double>(), 1e-5);
    EXPECT_NEAR(sum(kOrpoChosen) / count, figures["logps_chosen"].get<double>(), 1e-5);
    EXPECT_NEAR(sum(kOrpoRejected) / count, figures["logps_rejected"].get<double>(), 1e-5);
    EXPECT_NEAR(sum(kOrpoAccuracy) / count, figures["accuracy"].get<double>(), 1e-12);
    EXPECT_LT(largest_error(model, model_name, comm.rank()), 1e-5F);
  });
}

TEST(OrpoBatch, APromptIsComputedOnceAndEachDistinctAnswerOnce) {
  const OrpoSequence first{{1, 2, 3, 4}, {10, 11}};
  const OrpoSequence second{{1, 2, 3, 4}, {12, 13, 14}};
  const OrpoSequence third{{1, 2, 3, 4}, {15}};
  const std::vector<OrpoPair> pairs = {{first, second}, {first, third}, {second, third}};

  const auto packs = orpo_packs(pairs, all_of(pairs), {}, 0, 1);

  ASSERT_EQ(packs.size(), 1U);
  // The last token of an answer is a target only.
  EXPECT_EQ(packs[0].batch.num_tokens(), 4 + 1 + 2 + 0);
  // The prompt's targets 2, 3, 4 once, and the answers'.
  EXPECT_EQ(packs[0].batch.label_rows.size(0), 3 + 2 + 3 + 1);
  EXPECT_EQ(packs[0].terms.answer_lengths.size(0), 3);
}

TEST(OrpoBatch, PairsOfOnePromptStayOnOneRankWhateverTheBudget) {
  std::vector<OrpoPair> pairs;
  for (int64_t prompt = 0; prompt < 5; ++prompt) {
    for (int64_t answer = 0; answer < 3; ++answer) {
      pairs.push_back(
          {{{7, 50 + prompt, 60, 61}, {20 + answer, 2}}, {{7, 50 + prompt, 60, 61}, {30, 31, 2}}});
    }
  }

  int64_t total = 0;
  for (int rank = 0; rank < 3; ++rank) {
    for (const OrpoPack& pack : orpo_packs(pairs, all_of(pairs), {.max_tokens = 1}, rank, 3)) {
      EXPECT_EQ(pack.terms.chosen.size(0), 3);
      ++total;
    }
  }

  EXPECT_EQ(total, 5);
}

}  // namespace
}  // namespace xkde::recipe
