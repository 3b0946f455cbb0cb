#include "core/metrics/fluency.h"

#include <gtest/gtest.h>

namespace xkde {
namespace {

using Words = std::vector<std::string>;

TEST(Fluency, EntropiesOfTheProtocol) {
  EXPECT_DOUBLE_EQ(
      ngram_entropy(Words{"the", "cat", "sat", "on", "the", "mat", "the", "cat", "sat"}),
      2.5144270908955457);
  EXPECT_DOUBLE_EQ(ngram_entropy(Words{"a", "b", "a", "b", "a", "b"}), 0.9903168648182228);
  EXPECT_NEAR(ngram_entropy("The mother tongue of Danielle Darrieux is French."), 2.871570, 1e-6);
}

TEST(Fluency, ShortTextsHaveNoEntropy) {
  EXPECT_EQ(ngram_entropy(""), 0.0);
  EXPECT_EQ(ngram_entropy("word"), 0.0);
  EXPECT_EQ(ngram_entropy("two words"), 0.0);
}

TEST(Fluency, TextIsDecomposedAndCleaned) {
  EXPECT_EQ(fluency_text("caf\u00e9\n\nx<|endoftext|>"), "cafe\u0301 x");
  EXPECT_EQ(fluency_text("\ufb01n"), "fin");
  EXPECT_EQ(fluency_text("a\n\n\nb"), "a \nb");
}

}  // namespace
}  // namespace xkde
