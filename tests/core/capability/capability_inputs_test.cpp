#include "core/capability/capability_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using ::testing::HasSubstr;

TEST(CapabilityInputs, TwoFilesMustNotShareNameAndLanguage) {
  const test::TempFolder folder;
  const auto file = folder.write(
      "q.jsonl",
      "{\"context\": \"c\", \"choices\": [\"a\", \"b\"], \"answer\": 0, \"lang\": \"de\"}\n");
  CapabilityOptions options;
  options.choices = {{.data = file, .name = "one"}, {.data = file, .name = "two"}};

  EXPECT_EQ(read_capability_inputs(options).choices.size(), 2U);

  options.choices[1].name = "one";
  EXPECT_THAT(test::message_of<ConfigError>([&] { read_capability_inputs(options); }),
              HasSubstr("q.jsonl: expected a name of its own for the language de, found one that "
                        "another file has, one"));
}

}  // namespace
}  // namespace xkde
