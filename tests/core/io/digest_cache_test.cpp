#include "core/io/digest_cache.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "core/io/sha256.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

/// A file to hash and a place for its digest. Files count as settled at once.
class DigestCacheTest : public ::testing::Test {
 protected:
  static constexpr DigestCache::Options kAtOnce{.settle_time = std::chrono::nanoseconds(0)};

  /// A new start: what it hashes, and whether it had to read the file.
  struct Start {
    std::string digest;
    int64_t files_read;
  };
  Start start(const DigestCache::Options& options = kAtOnce) const {
    DigestCache cache(kept_, options);
    std::string digest = cache.digest_of(file_);
    cache.save();
    return {digest, cache.files_read()};
  }

  std::string kept_text() const {
    std::ifstream file(kept_);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  void write_kept(const std::string& text) const { folder_.write("digests.json", text); }

  test::TempFolder folder_;
  fs::path file_ = folder_.write("data", "some data");
  fs::path kept_ = folder_.path() / "digests.json";
};

TEST_F(DigestCacheTest, ReadsAFileOnceAStart) {
  DigestCache cache(kept_);

  EXPECT_EQ(cache.digest_of(file_), sha256_hex("some data"));
  EXPECT_EQ(cache.digest_of(folder_.path() / "." / "data"), sha256_hex("some data"));
  EXPECT_EQ(cache.digest_of(file_), sha256_hex("some data"));
  EXPECT_EQ(cache.files_read(), 2) << "another spelling of the path is another file";
}

TEST_F(DigestCacheTest, AnUnchangedFileIsNotReadAtTheNextStart) {
  EXPECT_EQ(start().files_read, 1);

  const Start next = start();

  EXPECT_EQ(next.files_read, 0);
  EXPECT_EQ(next.digest, sha256_hex("some data"));
}

TEST_F(DigestCacheTest, TellsWhatItWouldHaveToRead) {
  EXPECT_EQ(DigestCache(kept_, kAtOnce).bytes_to_read(file_), 9);
  start();

  EXPECT_EQ(DigestCache(kept_, kAtOnce).bytes_to_read(file_), 0);
  EXPECT_EQ(DigestCache(kept_, kAtOnce).bytes_to_read(folder_.path() / "none"), 0);
  folder_.write("data", "more data");
  DigestCache cache(kept_, kAtOnce);
  EXPECT_EQ(cache.bytes_to_read(file_), 9);
  cache.digest_of(file_);
  EXPECT_EQ(cache.bytes_to_read(file_), 0);
}

TEST_F(DigestCacheTest, AnUnchangedFileStaysKnownOverManyStarts) {
  for (const int64_t reads : {1, 0, 0, 0}) EXPECT_EQ(start().files_read, reads);
}

TEST_F(DigestCacheTest, WhatFollowsFromDigestsIsMadeOnceForAllStarts) {
  int made = 0;
  const auto start_with = [&](const std::string& key, const DigestCache::Options& options) {
    DigestCache cache(kept_, options);
    cache.digest_of(file_);
    std::string digest;
    for (int i = 0; i < 2; ++i)
      digest = cache.derived(key, [&] { return "made " + std::to_string(++made); });
    cache.save();
    return digest;
  };

  EXPECT_EQ(start_with("a", kAtOnce), "made 1");
  EXPECT_EQ(start_with("a", kAtOnce), "made 1");
  EXPECT_EQ(start().files_read, 0);  // one that asks for none keeps none
  EXPECT_EQ(start_with("a", kAtOnce), "made 2");
  EXPECT_EQ(start_with("b", kAtOnce), "made 3");
  EXPECT_EQ(start_with("b", {.trust_kept = false}), "made 4");
}

TEST_F(DigestCacheTest, AChangedFileIsReadAgain) {
  start();
  folder_.write("data", "other data, of another size");

  const Start next = start();

  EXPECT_EQ(next.files_read, 1);
  EXPECT_EQ(next.digest, sha256_hex("other data, of another size"));
}

TEST_F(DigestCacheTest, AChangeOfTheSameSizeThatKeepsTheTimeIsSeen) {
  const fs::file_time_type time = fs::last_write_time(file_);
  start();
  // Longer than a tick of the file system's clock: kAtOnce leaves no time to settle.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  folder_.write("data", "SOME DATA");
  fs::last_write_time(file_, time);

  EXPECT_EQ(start().digest, sha256_hex("SOME DATA"));
}

TEST_F(DigestCacheTest, AnotherFileInItsPlaceIsRead) {
  start();
  const fs::path other = folder_.write("other", "SOME DATA");
  fs::last_write_time(other, fs::last_write_time(file_));
  fs::rename(other, file_);

  EXPECT_EQ(start().digest, sha256_hex("SOME DATA"));
}

TEST_F(DigestCacheTest, ALinkIsKnownByTheFileItLeadsTo) {
  const fs::path link = folder_.path() / "link";
  fs::create_symlink(file_, link);
  file_ = link;
  start();
  fs::remove(link);
  fs::create_symlink(folder_.write("other", "SOME DATA"), link);

  EXPECT_EQ(start().digest, sha256_hex("SOME DATA"));
}

TEST_F(DigestCacheTest, AFileThatJustChangedIsNotKept) {
  start(DigestCache::Options());

  EXPECT_EQ(start(DigestCache::Options()).files_read, 1);
  EXPECT_EQ(kept_text().find(file_.string()), std::string::npos);
}

TEST_F(DigestCacheTest, AFileOfTheFutureIsNotKept) {
  fs::last_write_time(file_, fs::file_time_type::clock::now() + std::chrono::hours(1));
  start();

  EXPECT_EQ(start().files_read, 1);
}

TEST_F(DigestCacheTest, WithoutTrustEveryFileIsRead) {
  start();

  const Start next = start({.trust_kept = false, .settle_time = std::chrono::nanoseconds(0)});

  EXPECT_EQ(next.files_read, 1);
  EXPECT_EQ(start().files_read, 0) << "what was read is kept for the next start";
}

TEST_F(DigestCacheTest, ADamagedCacheIsPassedOver) {
  start();
  const std::string text = kept_text();
  const std::string digest = sha256_hex("some data");
  std::string forged = text;
  forged.replace(forged.find(digest), 64, sha256_hex("SOME DATA"));

  for (const std::string& damaged :
       {forged, text.substr(0, text.size() / 2), std::string(), std::string("null"),
        std::string("{\"format\": 1}"), std::string("\0\xff\xfe", 3)}) {
    write_kept(damaged);
    const Start next = start();
    EXPECT_EQ(next.files_read, 1) << damaged;
    EXPECT_EQ(next.digest, digest) << damaged;
  }
  EXPECT_EQ(start().files_read, 0) << "a start mends the cache";
}

TEST_F(DigestCacheTest, ACacheOfAnotherFormatIsPassedOver) {
  start();
  Json all = read_json_file(kept_);
  all["format"] = 2;
  write_kept(all.dump());

  EXPECT_EQ(start().files_read, 1);
}

TEST_F(DigestCacheTest, FilesThatAreNoLongerAskedForAreForgotten) {
  start();
  const fs::path first = file_;
  file_ = folder_.write("second", "more");
  start();
  file_ = first;

  EXPECT_EQ(start().files_read, 1);
}

TEST_F(DigestCacheTest, MissingFilesAndFoldersAreErrorsEveryTime) {
  DigestCache cache(kept_);

  for (int i = 0; i < 2; ++i) {
    EXPECT_THROW(cache.digest_of(folder_.path() / "none"), MissingInputError);
    EXPECT_THROW(cache.digest_of(file_ / "below_a_file"), MissingInputError);
    EXPECT_THROW(cache.digest_of(folder_.path()), IoError);
  }
}

TEST_F(DigestCacheTest, APathThatIsNoUtf8IsHashedButNotKept) {
  file_ = folder_.write("\xff\xfe", "odd");

  EXPECT_EQ(start().digest, sha256_hex("odd"));
  EXPECT_EQ(start().files_read, 1);
}

}  // namespace
}  // namespace xkde
