#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "core/io/sha256.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/checkpoint/manifest.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/distributed/checkpoint/checkpoint_support.h"

namespace xkde::dist {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int64_t kCodeBlock = 256;

std::vector<UnitLayout> byte_units() {
  return {
      {.name = "embedding", .slots = {{.name = "e", .shape = {37, 20}}}},
      {.name = "block", .slots = {{.name = "n", .shape = {20}}, {.name = "w", .shape = {90, 31}}}}};
}

/// One rank's masters, and moments in bytes with scales.
struct ByteState {
  explicit ByteState(const ShardLayout& layout)
      : master(static_cast<size_t>(layout.state_numel), 7.0F),
        codes(static_cast<size_t>(layout.state_numel), 77),
        scales(static_cast<size_t>(layout.state_numel / kCodeBlock), 7.0F),
        more_codes(codes),
        more_scales(scales) {}
  std::vector<float> master;
  std::vector<uint8_t> codes;
  std::vector<float> scales;
  std::vector<uint8_t> more_codes;
  std::vector<float> more_scales;

  StateView view() {
    return {{kMasterState, master},
            {"exp_avg.codes", {}, codes},
            {"exp_avg.scales", scales},
            {"exp_avg_sq.codes", {}, more_codes},
            {"exp_avg_sq.scales", more_scales}};
  }
};

/// Calls `with` for each element of a unit that this shard holds: unit, element, place in the
/// state.
template <typename With>
void each_element(const ShardLayout& layout, int shard, const With& with) {
  for (size_t u = 0; u < layout.units.size(); ++u) {
    const UnitLayout& unit = layout.units[u];
    for (int64_t i = 0; i < unit.shard_numel; ++i) {
      const int64_t element = shard * unit.shard_numel + i;
      if (element < unit.numel)
        with(static_cast<int64_t>(u), element, static_cast<size_t>(unit.shard_offset + i));
    }
  }
}

uint8_t code_at(int64_t unit, int64_t element) {
  return static_cast<uint8_t>(unit * 101 + element * 7 + element / kCodeBlock);
}
float scale_at(int64_t unit, int64_t element) {
  return static_cast<float>(unit) + static_cast<float>(element / kCodeBlock) / 64.0F;
}

void save_bytes(const fs::path& root, int ranks, int64_t step) {
  run_ranks(ranks, [&](Communicator& comm) {
    const ShardLayout layout = make_layout(byte_units(), ranks, kCodeBlock);
    ByteState state(layout);
    each_element(layout, comm.rank(), [&](int64_t unit, int64_t element, size_t at) {
      state.codes[at] = code_at(unit, element);
      state.scales[at / kCodeBlock] = scale_at(unit, element);
      state.more_codes[at] = code_at(unit + 1, element);
      state.more_scales[at / kCodeBlock] = scale_at(unit + 1, element);
    });
    save_checkpoint(root, layout, state.view(), {.step = step, .progress = Json::object()}, comm);
  });
}

TEST_F(CheckpointTest, BytesAndScalesComeBackToAnyNumberOfRanks) {
  int64_t step = 0;
  for (const int saving : {1, 2, 3}) {
    save_bytes(root_, saving, ++step);
    for (const int loading : {1, 2, 3, 4}) {
      run_ranks(loading, [&](Communicator& comm) {
        const ShardLayout layout = make_layout(byte_units(), loading, kCodeBlock);
        ByteState state(layout);
        load_checkpoint(root_ / folder_name(step), layout, state.view(), comm);
        int64_t wrong = 0;
        each_element(layout, comm.rank(), [&](int64_t unit, int64_t element, size_t at) {
          wrong += state.codes[at] != code_at(unit, element);
          wrong += state.scales[at / kCodeBlock] != scale_at(unit, element);
          wrong += state.more_codes[at] != code_at(unit + 1, element);
          wrong += state.more_scales[at / kCodeBlock] != scale_at(unit + 1, element);
        });
        EXPECT_EQ(wrong, 0) << saving << " " << loading << " " << comm.rank();
      });
    }
  }
}

TEST_F(CheckpointTest, MomentsOfAnotherKindAreRefused) {
  save_bytes(root_, 2, 1);
  run_ranks(1, [&](Communicator& comm) {
    const ShardLayout layout = make_layout(byte_units(), 1);
    std::vector<float> master(static_cast<size_t>(layout.state_numel)), moment(master);
    const StateView view{{kMasterState, master}, {"exp_avg", moment}};
    EXPECT_THAT(test::message_of<CheckpointError>(
                    [&] { load_checkpoint(root_ / folder_name(1), layout, view, comm); }),
                HasSubstr("kinds: expected exp_avg, found a checkpoint without it"));
  });
}

TEST_F(CheckpointTest, ScalesNeedShardsOfWholeBlocks) {
  save_bytes(root_, 2, 1);
  const fs::path folder = root_ / folder_name(1);
  Json manifest = read_json_file(folder / kManifestFile);
  // The second unit's shards, whose state still fits together, no longer end with a block.
  Json& units = manifest["layout"]["units"];
  units[1]["shard_numel"] = units[1]["shard_numel"].get<int64_t>() - 16;
  manifest["layout"]["state_numel"] = manifest["layout"]["state_numel"].get<int64_t>() - 16;
  const std::string text = manifest.dump(1) + "\n";
  std::ofstream(folder / kManifestFile) << text;
  std::ofstream(folder / kManifestDigestFile) << sha256_hex(text) << "  " << kManifestFile << "\n";

  EXPECT_THAT(test::message_of<CheckpointError>([&] { verify_checkpoint(folder); }),
              HasSubstr("block: shard_numel: expected a multiple of 256, found 1520"));
}

}  // namespace
}  // namespace xkde::dist
