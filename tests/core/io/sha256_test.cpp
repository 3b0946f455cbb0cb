#include "core/io/sha256.h"

#include <fstream>
#include <string>
#include <type_traits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/error.h"

namespace xkde {
namespace {

static_assert(std::is_nothrow_move_constructible_v<Sha256>);

TEST(Sha256, GivesTheDigestsOfTheStandard) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, DoesNotDependOnThePieces) {
  const std::string text(100000, 'x');
  Sha256 hash;

  for (size_t begin = 0; begin < text.size(); begin += 777) {
    const std::string piece = text.substr(begin, 777);
    hash.update(piece.data(), piece.size());
  }

  EXPECT_EQ(hash.hex(), sha256_hex(text));
}

TEST(Sha256, MayGoOnAfterADigest) {
  Sha256 hash;
  hash.update("ab", 2);
  EXPECT_EQ(hash.hex(), sha256_hex("ab"));

  hash.update("c", 1);

  EXPECT_EQ(hash.hex(), sha256_hex("abc"));
}

TEST(Sha256, ReadsAFileLargerThanOnePiece) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("sha256_test_" + std::to_string(::getpid()) + ".bin");
  const std::string text(3000001, 'y');
  std::ofstream(path, std::ios::binary) << text;

  const std::string digest = sha256_of_file(path);

  std::filesystem::remove(path);
  EXPECT_EQ(digest, sha256_hex(text));
}

TEST(Sha256, NamesAFileThatIsNotThere) {
  try {
    sha256_of_file("/nowhere/model.bin");
    FAIL() << "expected MissingInputError";
  } catch (const MissingInputError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("/nowhere/model.bin: not there"));
  }
}

TEST(Sha256, NamesAFileThatCannotBeRead) {
  try {
    sha256_of_file("/");
    FAIL() << "expected IoError";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("/: expected a regular file, found a folder"));
  }
}

}  // namespace
}  // namespace xkde
