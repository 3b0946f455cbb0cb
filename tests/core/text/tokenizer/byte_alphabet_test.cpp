#include "core/text/tokenizer/byte_alphabet.h"

#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace {

using namespace xkde;

TEST(ByteAlphabet, SpellsEveryByteAndBack) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));

  EXPECT_EQ(byte_alphabet::spell(" \n!\xAD"), "\u0120\u010a!\u0143");
  EXPECT_EQ(byte_alphabet::unspell(byte_alphabet::spell(bytes)), bytes);
  EXPECT_EQ(byte_alphabet::unspell("a b"), std::nullopt) << "a blank is not of the alphabet";
}

}  // namespace
