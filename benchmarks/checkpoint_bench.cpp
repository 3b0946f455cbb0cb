// Checkpoints beside plain writes of the same bytes: one JSON line a case, from rank 0.
//   mpirun -n 2 checkpoint_bench --folder DIR [--parameters 134515008] [--repeats 5]
// The folder's disk is what is measured; nothing is left in it. Cases alternate within a repeat, as
// disks and neighbours change their pace. The time of a case is that of its slowest rank.
//   raw                    write() of a rank's share of the state, fsync()
//   raw_read               read() of the bytes of its file of a checkpoint, into the state's memory
//   save                   save_checkpoint(), until durable, from memory as a trainer has it
//   async_stall            AsyncCheckpointer::save(): what a step waits for
//   async_copy             from then on until the state may change
//   async_write            what its threads do from then on until the checkpoint is durable
//   async_total            both
//   load                   load_checkpoint() with the shards that it was saved with
//   load_from_one_shard    of a checkpoint that has a single shard
// `of_raw`: the raw case's median over this one's, raw_read's where a case loads. --cold drops the
// files from the page cache before they are read.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <mpi.h>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/stopwatch.h"
#include "core/io/file.h"
#include "distributed/checkpoint/async_checkpointer.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/checkpoint/manifest.h"
#include "distributed/comm/mpi_communicator.h"
#include "distributed/comm/mpi_environment.h"
#include "distributed/comm/mpi_handles.h"

namespace {

namespace fs = std::filesystem;
using namespace xkde;
using namespace xkde::dist;

struct Settings {
  fs::path folder = "checkpoint_bench.tmp";
  int64_t parameters = 134515008;  ///< SmolLM2-135M
  int repeats = 5;
  bool cold = false;
};

/// As many units as a small model has blocks, and what is left as an embedding.
ShardLayout layout_of(int64_t parameters, int shards) {
  constexpr int64_t kWidth = 576;
  constexpr int64_t kBlockRows = 6146;  // 3,540,096 parameters
  std::vector<UnitLayout> units;
  int64_t left = parameters;
  for (int i = 0; i < 30 && left > kWidth * kBlockRows; ++i) {
    const std::string name = "model.layers." + std::to_string(i) + ".weight";
    units.push_back({.name = name, .slots = {{.name = name, .shape = {kBlockRows, kWidth}}}});
    left -= kWidth * kBlockRows;
  }
  const std::string name = "model.embed_tokens.weight";
  units.push_back({.name = name, .slots = {{.name = name, .shape = {left}}}});
  return make_layout(std::move(units), shards);
}

struct State {
  explicit State(const ShardLayout& layout)
      : master(static_cast<size_t>(layout.state_numel)), exp_avg(master), exp_avg_sq(master) {
    uint32_t bits = 1;
    for (auto* values : {&master, &exp_avg, &exp_avg_sq}) {
      for (float& value : *values) value = static_cast<float>(bits = bits * 1664525U + 1013904223U);
    }
  }
  StateView view() {
    return {{kMasterState, master}, {"exp_avg", exp_avg}, {"exp_avg_sq", exp_avg_sq}};
  }
  int64_t bytes() const { return static_cast<int64_t>(3 * master.size() * sizeof(float)); }
  std::vector<float> master, exp_avg, exp_avg_sq;
};

void write_plainly(const fs::path& path, State& state) {
  FileHandle file = FileHandle::open(path, OpenMode::kReplace);
  for (const std::vector<float>* values : {&state.master, &state.exp_avg, &state.exp_avg_sq}) {
    file.write_all({reinterpret_cast<const char*>(values->data()), values->size() * sizeof(float)});
  }
  file.sync();
  file.close();
}

/// As much of the file as the state takes; what it has beyond that is its structure.
void read_plainly(const fs::path& path, State& state) {
  const FileHandle file = FileHandle::open(path, OpenMode::kRead);
  int64_t offset = 0;
  for (std::vector<float>* values : {&state.master, &state.exp_avg, &state.exp_avg_sq}) {
    const std::span<char> bytes{reinterpret_cast<char*>(values->data()),
                                values->size() * sizeof(float)};
    file.pread_all(bytes, offset);
    offset += std::ssize(bytes);
  }
}

/// Durable files only: others cannot be dropped.
void drop_from_cache(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const FileHandle file = FileHandle::open(entry.path(), OpenMode::kRead);
    ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  }
}

class Bench {
 public:
  Bench(const Settings& settings, Communicator& world)
      : settings_(settings),
        world_(world),
        layout_(layout_of(settings.parameters, world.size())),
        state_(layout_),
        async_(settings.folder / "async", layout_, {kMasterState, "exp_avg", "exp_avg_sq"}, world) {
  }

  void run() {
    save_one_shard();
    for (int i = 0; i <= settings_.repeats; ++i) {
      warm_up_ = i == 0;
      repeat(i);
    }
    if (world_.rank() == 0) report();
  }

 private:
  void measure(const std::string& name, const std::function<void()>& act) {
    world_.barrier();
    const Stopwatch watch;
    act();
    add(name, watch.seconds());
  }

  void add(const std::string& name, double seconds) {
    double worst = 0;
    mpi_check(MPI_Allreduce(&seconds, &worst, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD),
              "MPI_Allreduce");
    if (!warm_up_) seconds_[name].push_back(worst);
  }

  void save_one_shard() {
    const ShardLayout whole = layout_of(settings_.parameters, 1);
    State state(whole);
    save_checkpoint(settings_.folder / "one", whole, state.view(), info(0), world_);
  }

  CheckpointInfo info(int64_t step) const {
    return {.step = step, .progress = Json::object(), .keep_last = 1};
  }

  void read(const std::string& name, const fs::path& folder, const std::function<void()>& act) {
    if (settings_.cold && world_.rank() == 0) drop_from_cache(folder);
    measure(name, act);
  }

  void load(const std::string& name, const fs::path& folder) {
    read(name, folder, [&] { load_checkpoint(folder, layout_, state_.view(), world_); });
  }

  void repeat(int64_t step) {
    const fs::path plain = settings_.folder / ("plain" + std::to_string(world_.rank()));
    measure("raw", [&] { write_plainly(plain, state_); });
    fs::remove(plain);
    const fs::path root = settings_.folder / "saved";
    if (world_.rank() == 0) fs::remove_all(root);
    measure("save", [&] { save_checkpoint(root, layout_, state_.view(), info(0), world_); });
    const fs::path checkpoint = root / "step-00000000";
    const fs::path own = checkpoint / rank_file_name(world_.rank());
    read("raw_read", checkpoint, [&] { read_plainly(own, state_); });
    load("load", checkpoint);
    load("load_from_one_shard", settings_.folder / "one" / "step-00000000");
    if (world_.rank() == 0) fs::remove_all(settings_.folder / "async");
    measure("async_total", [&] {
      const Stopwatch watch;
      async_.save([this](const StateView& out) { copy_into(out); }, info(step));
      const double stall = watch.seconds();
      async_.wait_for_copy();
      add("async_copy", watch.seconds() - stall);
      async_.finish();
      add("async_stall", stall);
      add("async_write", watch.seconds() - stall);
    });
  }

  void copy_into(const StateView& out) {
    const StateView from = state_.view();
    for (size_t i = 0; i < out.size(); ++i) {
      std::ranges::copy(from[i].values, out[i].values.begin());
    }
  }

  void report() {
    const auto median = [](std::vector<double> values) {
      std::sort(values.begin(), values.end());
      return values[values.size() / 2];
    };
    const double written = median(seconds_.at("raw"));
    const double read = median(seconds_.at("raw_read"));
    const double bytes = static_cast<double>(state_.bytes()) * world_.size();
    for (const auto& [name, values] : seconds_) {
      const double seconds = median(values);
      const double raw = name.starts_with("load") || name == "raw_read" ? read : written;
      const nlohmann::json line = {{"bench", "checkpoint"},
                                   {"case", name},
                                   {"ranks", world_.size()},
                                   {"bytes", bytes},
                                   {"seconds_median", seconds},
                                   {"seconds_min", *std::min_element(values.begin(), values.end())},
                                   {"gb_per_s", bytes / seconds / 1e9},
                                   {"of_raw", raw / seconds}};
      std::cout << line.dump() << std::endl;
    }
  }

  const Settings& settings_;
  Communicator& world_;
  ShardLayout layout_;
  State state_;
  AsyncCheckpointer async_;
  std::map<std::string, std::vector<double>> seconds_;
  bool warm_up_ = true;
};

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{"Checkpoints beside plain writes of the same bytes"};
  app.add_option("--folder", settings.folder,
                 "on the disk to measure; made, and removed at the end");
  app.add_option("--parameters", settings.parameters, "of the model; 12 bytes each")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  app.add_option("--repeats", settings.repeats, "timed calls a case")->check(CLI::Range(1, 1000));
  app.add_flag("--cold", settings.cold, "load from the disk, not from the page cache");
  CLI11_PARSE(app, argc, argv);
  const MpiEnvironment environment;
  const auto world = make_mpi_communicator(environment);
  if (fs::exists(settings.folder)) {
    std::cerr << settings.folder << ": expected no such folder yet, found one\n";
    return 64;
  }
  world->barrier();
  fs::create_directories(settings.folder);
  Bench(settings, *world).run();
  world->barrier();
  if (world->rank() == 0) fs::remove_all(settings.folder);
  return 0;
}
