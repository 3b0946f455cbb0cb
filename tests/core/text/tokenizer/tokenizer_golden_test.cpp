#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text/tokenizer/tokenizer.h"
#include "tests/core/text/tokenizer/golden.h"

namespace {

using namespace xkde;
using namespace xkde::test;

std::vector<std::string> golden_names() {
  const std::string ending = ".tokenizer.json";
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder())) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(ending)) names.push_back(name.substr(0, name.size() - ending.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

class TokenizerGolden : public testing::TestWithParam<std::string> {};

TEST_P(TokenizerGolden, IdsAndDecodedTextsEqualTheLibrarys) {
  const auto path = golden_folder() / (GetParam() + ".tokenizer.json");
  const Tokenizer tokenizer = Tokenizer::from_json(read_json_file(path), nullptr, GetParam());

  EXPECT_EQ(differences(tokenizer, read_json_file(golden_folder() / (GetParam() + ".golden.json"))),
            "");
}

TEST_P(TokenizerGolden, WrittenFileGivesTheFileRead) {
  const auto path = golden_folder() / (GetParam() + ".tokenizer.json");
  const Json json = read_json_file(path);

  EXPECT_EQ(Tokenizer::from_json(json, nullptr, GetParam()).to_tokenizer_json(), json);
}

INSTANTIATE_TEST_SUITE_P(Synthetic, TokenizerGolden, testing::ValuesIn(golden_names()),
                         [](const auto& test) { return test.param; });

TEST(TokenizerGoldenFiles, AreAllThere) { EXPECT_GE(golden_names().size(), 28U); }

}  // namespace
