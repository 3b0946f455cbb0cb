#include "tests/distributed/checkpoint/checkpoint_support.h"

#include <algorithm>
#include <cstdlib>

#include <sys/mount.h>

#include "core/base/error.h"
#include "distributed/comm/thread_communicator.h"

namespace xkde::dist {
namespace fs = std::filesystem;
namespace {

TensorSlot slot(const std::string& name, std::vector<int64_t> shape) {
  TensorSlot made;
  made.name = name;
  made.shape = std::move(shape);
  return made;
}

UnitLayout unit(const std::string& name, std::vector<TensorSlot> slots) {
  UnitLayout made;
  made.name = name;
  made.slots = std::move(slots);
  return made;
}

/// Calls act(tensor name, index in the tensor, place in the state) for every element of a rank.
void for_each_element(const ShardLayout& layout, int rank,
                      const std::function<void(const std::string&, int64_t, size_t)>& act) {
  for (const UnitLayout& unit : layout.units) {
    for (const TensorSlot& slot : unit.slots) {
      for (const ShardPiece& piece : pieces_of(layout, unit, slot)) {
        if (piece.shard != rank) continue;
        for (int64_t i = 0; i < piece.numel; ++i) {
          act(slot.name, piece.tensor_offset + i, static_cast<size_t>(piece.state_offset + i));
        }
      }
    }
  }
}

}  // namespace

CheckpointTest::CheckpointTest() {
  std::string pattern = (fs::temp_directory_path() / "checkpoint_test_XXXXXX").string();
  root_ = ::mkdtemp(pattern.data());
}

CheckpointTest::~CheckpointTest() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

std::vector<UnitLayout> small_units() {
  return {unit("embedding", {slot("model.embed_tokens.weight", {37, 5})}),
          unit("block 0", {slot("model.layers.0.norm.weight", {5}),
                           slot("model.layers.0.mlp.up_proj.weight", {11, 7}),
                           slot("model.layers.0.cube", {3, 4, 5})}),
          unit("head", {slot("model.norm.weight", {1})})};
}

float value_of(const std::string& kind, const std::string& tensor, int64_t index, int64_t step) {
  const auto name = static_cast<int64_t>(kind.size() * 16 + tensor.size());
  return static_cast<float>((name * 1000 + index) * 16 + step % 16);
}

OwnedState empty_state(const ShardLayout& layout, bool moments) {
  const auto size = static_cast<size_t>(layout.state_numel);
  OwnedState state{std::vector<float>(size, -1.0F), {}, {}};
  if (moments) state.exp_avg = state.exp_avg_sq = state.master;
  return state;
}

OwnedState state_at(const ShardLayout& layout, int rank, int64_t step, bool moments) {
  OwnedState state = empty_state(layout, moments);
  for_each_element(layout, rank, [&](const std::string& tensor, int64_t index, size_t place) {
    state.master[place] = value_of("master", tensor, index, step);
    if (!moments) return;
    state.exp_avg[place] = value_of("exp_avg", tensor, index, step);
    state.exp_avg_sq[place] = value_of("exp_avg_sq", tensor, index, step);
  });
  return state;
}

Json progress_at(int64_t step) {
  return {{"step", step}, {"learning_rate", 1e-5}, {"recipe", "run_name: 知识"}};
}

void save(const fs::path& root, int ranks, int64_t step, int64_t keep_last, bool moments) {
  run_ranks(ranks, [&](Communicator& comm) {
    const ShardLayout layout = make_layout(small_units(), ranks);
    OwnedState state = state_at(layout, comm.rank(), step, moments);
    save_checkpoint(root, layout, state.view(),
                    {.step = step, .progress = progress_at(step), .keep_last = keep_last}, comm);
  });
}

void expect_loads(const fs::path& folder, int ranks, int64_t step, bool moments, int copies) {
  run_ranks(ranks, [&](Communicator& comm) {
    const int shards = ranks / copies;
    const ShardLayout layout = make_layout(small_units(), shards);
    OwnedState state = empty_state(layout, moments);

    const Json progress = load_checkpoint(folder, layout, state.view(), comm);

    EXPECT_EQ(progress, progress_at(step));
    int64_t different = 0;
    const int shard = comm.rank() % shards;
    for_each_element(layout, shard, [&](const std::string& name, int64_t i, size_t place) {
      if (state.master[place] != value_of("master", name, i, step)) ++different;
      if (!moments) return;
      if (state.exp_avg[place] != value_of("exp_avg", name, i, step)) ++different;
      if (state.exp_avg_sq[place] != value_of("exp_avg_sq", name, i, step)) ++different;
    });
    EXPECT_EQ(different, 0) << "rank " << comm.rank() << " of " << ranks;
  });
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

SmallDisk::SmallDisk(const fs::path& folder, const std::string& options) : folder_(folder) {
  fs::create_directories(folder);
  mounted_ = ::mount("tmpfs", folder.c_str(), "tmpfs", 0, options.c_str()) == 0;
}

SmallDisk::~SmallDisk() {
  if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
}

}  // namespace xkde::dist
