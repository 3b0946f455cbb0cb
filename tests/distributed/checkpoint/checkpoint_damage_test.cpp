#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/io/sha256.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/distributed/checkpoint/checkpoint_support.h"

namespace xkde::dist {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

void flip_bit(const fs::path& path, int64_t position) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(position);
  const auto byte = static_cast<char>(file.get() ^ 0x10);
  file.seekp(position);
  file.put(byte);
}

/// Two checkpoints, of steps 1 and 2, on two ranks; damage is done to the second.
class DamageTest : public CheckpointTest {
 protected:
  DamageTest() : folder_(root_ / "step-00000002") {
    save(root_, 2, 1);
    save(root_, 2, 2);
    fs::copy(folder_, root_ / "intact", fs::copy_options::recursive);
  }
  void repair() {
    fs::remove_all(folder_);
    fs::copy(root_ / "intact", folder_, fs::copy_options::recursive);
  }
  /// The message when it is loaded; newest_verified_checkpoint must fall back to the older one.
  std::string refusal() {
    EXPECT_EQ(newest_verified_checkpoint(root_), root_ / "step-00000001");
    return message_of<CheckpointError>([&] { expect_loads(folder_, 2, 2); });
  }
  /// Where the digest of the manifest is damaged, the manifest may be to blame.
  testing::Matcher<std::string> blames(const std::string& name) const {
    const auto path = HasSubstr((folder_ / name).string());
    if (name != "manifest.sha256") return path;
    return AnyOf(path, HasSubstr((folder_ / "manifest.json").string()));
  }
  fs::path folder_;
};

TEST_F(DamageTest, AFlippedBitInAnyFileIsFound) {
  std::mt19937 random(1);
  for (const std::string& name : names_in(folder_)) {
    const auto bytes = static_cast<int64_t>(fs::file_size(folder_ / name));
    for (int i = 0; i < 8; ++i) {
      const auto position = static_cast<int64_t>(random() % static_cast<uint64_t>(bytes));
      flip_bit(folder_ / name, position);

      EXPECT_THAT(refusal(), blames(name)) << name << ", byte " << position;
      flip_bit(folder_ / name, position);
    }
  }
  expect_loads(*newest_verified_checkpoint(root_), 1, 2);
}

TEST_F(DamageTest, ATruncatedFileIsFound) {
  for (const std::string& name : names_in(folder_)) {
    const uintmax_t bytes = fs::file_size(folder_ / name);
    for (const uintmax_t rest : {uintmax_t{0}, bytes / 2, bytes - 1}) {
      fs::resize_file(folder_ / name, rest);
      EXPECT_THAT(refusal(), blames(name)) << rest << " bytes";
      repair();
    }
  }
}

TEST_F(DamageTest, AMissingFileIsFound) {
  for (const std::string& name : names_in(folder_)) {
    fs::remove(folder_ / name);
    EXPECT_THAT(refusal(),
                AllOf(HasSubstr((folder_ / name).string()), HasSubstr("expected a file")));
    repair();
  }
}

TEST_F(DamageTest, AFolderInThePlaceOfAFileIsDamage) {
  for (const std::string& name : names_in(folder_)) {
    fs::remove(folder_ / name);
    fs::create_directory(folder_ / name);
    EXPECT_THAT(refusal(), HasSubstr((folder_ / name).string()));
    repair();
  }
}

TEST_F(DamageTest, AFileThatCannotBeReadIsDamage) {
  for (const std::string& name : names_in(folder_)) {
    fs::remove(folder_ / name);
    fs::create_symlink("/proc/self/mem", folder_ / name);  // EIO
    EXPECT_THAT(refusal(), HasSubstr((folder_ / name).string()));
    repair();
  }
}

TEST_F(DamageTest, AFolderUnderAnotherStepsNameIsPassedOver) {
  fs::rename(folder_, root_ / "step-00000009");

  EXPECT_EQ(newest_verified_checkpoint(root_), root_ / "step-00000001");
  EXPECT_THAT(message_of<CheckpointError>([&] { expect_loads(root_ / "step-00000009", 2, 2); }),
              HasSubstr("manifest.json: step: expected 9 as its folder is called, found 2"));
}

TEST_F(DamageTest, AFolderThatCannotBeListedIsNoRunWithoutCheckpoints) {
  fs::create_symlink("loop", root_ / "loop");

  EXPECT_THROW(newest_verified_checkpoint(root_ / "loop"), IoError);
  EXPECT_EQ(newest_verified_checkpoint(root_ / "none"), std::nullopt);
}

TEST_F(DamageTest, ExchangedRankFilesAreFound) {
  fs::rename(folder_ / "rank_00000.h5", folder_ / "other");
  fs::rename(folder_ / "rank_00001.h5", folder_ / "rank_00000.h5");
  fs::rename(folder_ / "other", folder_ / "rank_00001.h5");

  EXPECT_THAT(refusal(), HasSubstr("rank_00000.h5: SHA-256: expected "));
}

TEST_F(DamageTest, AFileOfAnotherStepIsFound) {
  fs::copy_file(root_ / "step-00000001" / "rank_00001.h5", folder_ / "rank_00001.h5",
                fs::copy_options::overwrite_existing);

  EXPECT_THAT(refusal(), HasSubstr("rank_00001.h5: SHA-256: expected "));
}

TEST_F(DamageTest, AnotherFormatVersionIsRefused) {
  const fs::path path = folder_ / "manifest.json";
  Json manifest = read_json_file(path);
  manifest["format_version"] = 7;
  const std::string text = manifest.dump();
  std::ofstream(path) << text;
  std::ofstream(folder_ / "manifest.sha256") << sha256_hex(text) << "  manifest.json\n";

  EXPECT_THAT(refusal(), HasSubstr("manifest.json: format_version: expected 1, found 7"));
}

TEST_F(DamageTest, AManifestThatNamesOtherFilesIsRefused) {
  const fs::path path = folder_ / "manifest.json";
  Json manifest = read_json_file(path);
  manifest["files"][0]["name"] = "../step-00000001/rank_00000.h5";
  const std::string text = manifest.dump();
  std::ofstream(path) << text;
  std::ofstream(folder_ / "manifest.sha256") << sha256_hex(text) << "  manifest.json\n";

  EXPECT_THAT(refusal(), HasSubstr("manifest.json: files: expected index.h5, state.json and 2"));
}

/// Changes to a manifest, each with what its refusal says.
struct Forgery {
  const char* pointer;  // of the value that is replaced
  Json value;
  const char* complaint;
};

/// The small units on two ranks: 185, 142 and 1 elements in shards of 96, 80 and 16.
const std::vector<Forgery> kForgeries{
    {"/num_shards", 2000000000, "files: expected index.h5, state.json and 2000000000 rank files"},
    {"/num_shards", 4294967298, "num_shards: expected an integer in [1, 2147483647]"},
    {"/num_shards", 0, "num_shards: expected an integer in [1, "},
    {"/num_shards", 2.0, "num_shards: expected an integer in [1, 2147483647], found 2.0"},
    {"/step", -1, "step: expected an integer in [0, "},
    {"/step", true, "step: expected an integer in [0, "},
    {"/kinds", Json{"master", "half"}, "kinds: expected master, or master, exp_avg and exp_avg_sq"},
    {"/kinds/0", "exp_avg", "kinds: expected master, or master, exp_avg and exp_avg_sq"},
    {"/files/0/name", "rank_00001.h5", "files: expected index.h5, state.json and 2 rank files"},
    {"/files/0/bytes", -5, "files[0].bytes: expected an integer in [0, "},
    {"/files/0/bytes", 800, "layout.state_numel: expected an integer in [1, 66], found 192"},
    {"/files/1/sha256", "xyz", "files[1].sha256: expected a SHA-256"},
    {"/layout", 7, "layout: expected an object, found 7"},
    {"/layout/num_shards", 3, "layout.num_shards: expected 2, found 3"},
    {"/layout/state_numel", int64_t{1} << 62, "layout.state_numel: expected an integer in [1, "},
    {"/layout/state_numel", 191, "layout.units[2].shard_numel: expected an integer in [1, 15]"},
    {"/layout/state_numel", 193, "layout.units: expected 193 elements of a shard, found 192"},
    {"/layout/state_numel", 176, "layout.units[2]: expected no unit behind the 176 elements"},
    {"/layout/units", Json::array(), "layout.units: expected 192 elements of a shard, found 0"},
    {"/layout/units/1/shard_offset", 80, "layout.units[1].shard_offset: expected 96, found 80"},
    {"/layout/units/1/shard_numel", 70, "layout.units[1].numel: expected an integer in [1, 140]"},
    {"/layout/units/1/shard_numel", -80,
     "layout.units[1].shard_numel: expected an integer in [1, "},
    {"/layout/units/1/numel", 143, "layout.units[1].tensors: expected 143 elements, found 142"},
    {"/layout/units/1/numel", 82, "layout.units[1].tensors[2]: expected no tensor behind the 82"},
    {"/layout/units/1/tensors/1/offset", 4, "tensors[1].offset: expected 5, found 4"},
    {"/layout/units/1/tensors/1/offset", 6, "tensors[1].offset: expected 5, found 6"},
    {"/layout/units/1/tensors/1/numel", 76, "tensors[1].numel: expected 77, found 76"},
    {"/layout/units/1/tensors/1/shape/1", 8, "tensors[1].numel: expected 88, found 77"},
    {"/layout/units/1/tensors/1/shape/1", -7,
     "tensors[1].shape[1]: expected an integer in [1, 12]"},
    {"/layout/units/1/tensors/1/shape", Json{int64_t{1} << 62, 8}, "shape[0]: expected an integer"},
    {"/layout/units/1/tensors/1/shape", Json{7, 11, 1, 2}, "tensors[1].shape[3]: expected an int"},
    {"/layout/units/1/tensors/1/name", "", "tensors[1]: expected a name, found none"},
    {"/layout/units/1/tensors/1/name", "model.layers.0.norm.weight",
     "tensor model.layers.0.norm.weight: expected it once in the layout, found it twice"},
    {"/layout/units/2/tensors/0/name", "model.embed_tokens.weight",
     "tensor model.embed_tokens.weight: expected it once in the layout, found it twice"},
};

TEST_F(DamageTest, AForgedManifestIsRefusedWhateverItsSumsSay) {
  const fs::path path = folder_ / "manifest.json";
  const Json good = read_json_file(path);
  for (const Forgery& forgery : kForgeries) {
    Json manifest = good;
    manifest[Json::json_pointer(forgery.pointer)] = forgery.value;
    const std::string text = manifest.dump();
    std::ofstream(path) << text;
    std::ofstream(folder_ / "manifest.sha256") << sha256_hex(text) << "  manifest.json\n";

    EXPECT_THAT(refusal(), AllOf(HasSubstr("manifest.json: "), HasSubstr(forgery.complaint)))
        << forgery.pointer << " = " << forgery.value;
    EXPECT_THAT(message_of<CheckpointError>([&] { verify_checkpoint(folder_); }),
                HasSubstr(forgery.complaint));
  }
}

TEST_F(DamageTest, ARankFileOfAnotherStepIsRefusedWhateverItsSumsSay) {
  const fs::path path = folder_ / "manifest.json";
  fs::copy_file(root_ / "step-00000001" / "rank_00001.h5", folder_ / "rank_00001.h5",
                fs::copy_options::overwrite_existing);
  Json manifest = read_json_file(path);
  for (Json& file : manifest["files"]) {
    if (file["name"] == "rank_00001.h5") file["sha256"] = sha256_of_file(folder_ / "rank_00001.h5");
  }
  const std::string text = manifest.dump();
  std::ofstream(path) << text;
  std::ofstream(folder_ / "manifest.sha256") << sha256_hex(text) << "  manifest.json\n";

  EXPECT_THAT(message_of<CheckpointError>([&] { expect_loads(folder_, 2, 2); }),
              HasSubstr("rank_00001.h5: step: expected 2, found 1"));
}

TEST_F(DamageTest, NothingVerifiableIsAnError) {
  for (const char* step : {"step-00000001", "step-00000002"}) {
    fs::remove(root_ / step / "manifest.json");
  }

  const auto act = [&] { (void)newest_verified_checkpoint(root_); };

  EXPECT_THAT(message_of<CheckpointError>(act),
              HasSubstr("expected a checkpoint that verifies, found 2 damaged"));
}

TEST_F(CheckpointTest, AFullDiskLeavesTheOldCheckpoint) {
  const fs::path disk = root_ / "disk";
  const SmallDisk mounted(disk, "size=1m");
  if (!mounted.mounted()) GTEST_SKIP() << "this user may not mount a small file system";
  save(disk, 2, 1);
  std::ofstream(disk / "filler") << std::string(850000, 'x');
  std::vector<std::string> messages(2);

  run_ranks(2, [&](Communicator& comm) {
    const ShardLayout layout = make_layout(small_units(), 2);
    OwnedState state = state_at(layout, comm.rank(), 2);
    messages[static_cast<size_t>(comm.rank())] = message_of<IoError>([&] {
      save_checkpoint(disk, layout, state.view(),
                      {.step = 2, .progress = progress_at(2), .keep_last = 1}, comm);
    });
  });

  for (const std::string& message : messages) {
    EXPECT_THAT(message, HasSubstr(disk.string() + ": disk full: a checkpoint needs "));
    EXPECT_THAT(message, HasSubstr(" bytes, available are "));
  }
  EXPECT_THAT(names_in(disk), testing::ElementsAre("LATEST", "filler", "step-00000001"));
  expect_loads(*newest_verified_checkpoint(disk), 2, 1);
}

TEST_F(CheckpointTest, EachFileThatCannotBeMadeLeavesTheOldCheckpoint) {
  const fs::path disk = root_ / "disk";
  int failures = 0;
  for (int files = 11; files < 40;
       ++files) {  // 1 root, 1 + 6 files, LATEST: 9 and a new checkpoint
    const SmallDisk mounted(disk, concat("size=4m,nr_inodes=", files));
    if (!mounted.mounted()) GTEST_SKIP() << "this user may not mount a small file system";
    save(disk, 2, 1);

    const std::string message = message_of<IoError>([&] { save(disk, 2, 2); });

    if (message == "no error") {
      expect_loads(*newest_verified_checkpoint(disk), 2, 2);
      break;
    }
    ++failures;
    EXPECT_THAT(message, AnyOf(HasSubstr("No space left on device"), HasSubstr("disk full")));
    EXPECT_THAT(message, HasSubstr(disk.string()));
    EXPECT_THAT(names_in(disk), testing::ElementsAre("LATEST", "step-00000001"));
    expect_loads(*newest_verified_checkpoint(disk), 2, 1);
  }
  EXPECT_GE(failures, 5);
}

/// Saves once under a limit on the size of a file, in a process of its own; returns its exit code.
int save_with_limit(const fs::path& root, size_t progress_bytes, rlim_t limit_bytes) {
  const pid_t child = ::fork();
  if (child != 0) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = limit_bytes, .rlim_max = limit_bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const std::string message = message_of<IoError>([&] {
    run_ranks(2, [&](Communicator& comm) {
      const ShardLayout layout = make_layout(small_units(), 2);
      OwnedState state = state_at(layout, comm.rank(), 2);
      const Json progress{{"filler", std::string(progress_bytes, 'x')}};
      save_checkpoint(root, layout, state.view(), {.step = 2, .progress = progress, .keep_last = 0},
                      comm);
    });
  });
  std::exit(message.find("File too large") != std::string::npos ? 74 : 1);  // with all handlers
}

TEST_F(CheckpointTest, AWriteThatFailsHalfwayLeavesTheOldCheckpoint) {
  save(root_, 2, 1);

  const int plain_write = save_with_limit(root_, 300000, 200000);
  const int index_file = save_with_limit(root_, 10, 5000);
  const int rank_file = save_with_limit(root_, 10, 2000);

  EXPECT_EQ(plain_write, 74);
  EXPECT_EQ(index_file, 74);
  EXPECT_EQ(rank_file, 74);
  EXPECT_THAT(names_in(root_), testing::ElementsAre("LATEST", "step-00000001"));
  expect_loads(*newest_verified_checkpoint(root_), 2, 1);
}

TEST_F(CheckpointTest, AKilledSaveLeavesALoadableCheckpoint) {
  std::mt19937 random(7);
  int64_t step = 0;
  save(root_, 2, step, 2);
  for (int round = 0; round < 20; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int64_t next = step + 1;; ++next) save(root_, 2, next, 2);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);

    const fs::path folder = *newest_verified_checkpoint(root_);
    const int64_t found = std::stoll(folder.filename().string().substr(5));

    EXPECT_GE(found, step);
    expect_loads(folder, 1 + round % 3, found);
    for (const std::string& name : names_in(root_)) {  // no folder under a final name is damaged
      if (name.starts_with("step-") && name.size() == 13)
        expect_loads(root_ / name, 1, std::stoll(name.substr(5)));
    }
    step = found + 1;
    save(root_, 2, step, 2);
    for (const std::string& name : names_in(root_)) EXPECT_FALSE(name.ends_with(".tmp")) << name;
  }
}

}  // namespace
}  // namespace xkde::dist
