#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "core/io/sha256.h"
#include "tests/distributed/checkpoint/checkpoint_support.h"

namespace xkde::dist {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::HasSubstr;

/// $XKDE_FAULT_TRIES; a thousand where it is not set.
int tries() {
  const char* text = std::getenv("XKDE_FAULT_TRIES");
  return text == nullptr ? 1000 : std::atoi(text);
}

/// Changes the bytes from `position` on by a mask; the same mask again repairs them.
void change(const fs::path& path, int64_t position, const std::string& mask) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes(mask.size(), '\0');
  file.seekg(position);
  file.read(bytes.data(), std::ssize(bytes));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bytes[i] ^ mask[i]);
  file.seekp(position);
  file.write(bytes.data(), std::ssize(bytes));
}

class RandomDamageTest : public CheckpointTest {
 protected:
  RandomDamageTest() : folder_(root_ / "step-00000002") {
    save(root_, 2, 2);
    for (const std::string& name : names_in(folder_)) {
      all_bytes_ += static_cast<int64_t>(fs::file_size(folder_ / name));
    }
  }
  /// The file that holds byte `position` of all files one behind the other, and where in it.
  std::pair<std::string, int64_t> place_of(int64_t position) const {
    for (const std::string& name : names_in(folder_)) {
      const auto bytes = static_cast<int64_t>(fs::file_size(folder_ / name));
      if (position < bytes) return {name, position};
      position -= bytes;
    }
    throw InternalError("no such byte");
  }
  std::string refusal() const {
    return message_of<CheckpointError>([&] { verify_checkpoint(folder_); });
  }
  fs::path folder_;
  int64_t all_bytes_ = 0;
};

TEST_F(RandomDamageTest, EveryFlippedBitIsFoundAndNamed) {
  std::mt19937_64 random(2);
  for (int i = 0; i < tries(); ++i) {
    const auto [name, at] =
        place_of(static_cast<int64_t>(random() % static_cast<uint64_t>(all_bytes_)));
    const std::string mask(1, static_cast<char>(1U << (random() % 8)));

    change(folder_ / name, at, mask);
    EXPECT_THAT(refusal(), HasSubstr(folder_.string())) << name << ", byte " << at;
    change(folder_ / name, at, mask);
  }
  expect_loads(folder_, 2, 2);
}

TEST_F(RandomDamageTest, EveryChangeOfSomeBytesIsFoundAndNamed) {
  std::mt19937_64 random(3);
  for (int i = 0; i < tries() / 10; ++i) {
    const auto [name, at] =
        place_of(static_cast<int64_t>(random() % static_cast<uint64_t>(all_bytes_)));
    const auto rest =
        static_cast<uint64_t>(fs::file_size(folder_ / name)) - static_cast<uint64_t>(at);
    std::string mask(1 + random() % std::min<uint64_t>(rest, 64), '\0');
    for (char& byte : mask) byte = static_cast<char>(random());
    mask.front() = static_cast<char>(mask.front() | 1);

    change(folder_ / name, at, mask);
    EXPECT_THAT(refusal(), HasSubstr(folder_.string())) << name << ", byte " << at;
    change(folder_ / name, at, mask);
  }
  expect_loads(folder_, 2, 2);
}

/// A value that a manifest may not expect: too large, negative, of another kind.
Json strange_value(std::mt19937_64& random, const Json& old) {
  const int64_t kept = old.is_number_integer() ? old.get<int64_t>() : 7;
  const std::vector<Json> values{2000000000,
                                 int64_t{1} << 62,
                                 uint64_t{1} << 63,
                                 1e30,
                                 -1,
                                 0,
                                 0.5,
                                 kept + 1,
                                 kept - 1,
                                 kept * 2,
                                 kept + 4096,
                                 nullptr,
                                 true,
                                 "",
                                 "../../x",
                                 std::string(5000, 'x'),
                                 std::string(1, '\0'),
                                 Json::array(),
                                 Json::object(),
                                 Json::array({Json::array()})};
  return values[random() % values.size()];
}

TEST_F(RandomDamageTest, AManifestWithAForgedValueIsRefusedOrMeansTheSame) {
  const fs::path path = folder_ / "manifest.json";
  const Json good = read_json_file(path);
  const Json places = good.flatten();
  std::mt19937_64 random(5);
  for (int i = 0; i < tries(); ++i) {
    auto place = places.begin();
    std::advance(place, static_cast<int64_t>(random() % places.size()));
    // The value, or an object or array around it.
    Json::json_pointer pointer(place.key());
    for (; random() % 4 == 0 && !pointer.parent_pointer().empty();)
      pointer = pointer.parent_pointer();
    Json forged = good;
    forged[pointer] = strange_value(random, place.value());
    const std::string text = forged.dump();
    std::ofstream(path) << text;
    std::ofstream(folder_ / "manifest.sha256") << sha256_hex(text) << "  manifest.json\n";

    const std::string refusal = message_of<CheckpointError>([&] { expect_loads(folder_, 1, 2); });
    EXPECT_THAT(refusal, AnyOf(HasSubstr(folder_.string()), "no error"))
        << pointer.to_string() << " = " << forged[pointer];
  }
}

}  // namespace
}  // namespace xkde::dist
