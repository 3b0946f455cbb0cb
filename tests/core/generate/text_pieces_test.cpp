#include "core/generate/text_pieces.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

using testing::ElementsAre;

/// The pieces of a text that grows so, and its rest.
std::vector<std::string> pieces_of(const std::vector<std::string>& growing,
                                   std::vector<std::string> stop_texts = {}) {
  TextPieces pieces(std::move(stop_texts));
  std::vector<std::string> told;
  for (size_t i = 0; i + 1 < growing.size(); ++i) told.push_back(pieces.grow(growing[i]));
  told.push_back(pieces.finish(growing.back()));
  return told;
}

TEST(TextPieces, JoinedTheyAreTheText) {
  EXPECT_THAT(pieces_of({"Hel", "Hello", "Hello", "Hello there"}),
              ElementsAre("Hel", "lo", "", " there"));
}

TEST(TextPieces, CharactersWaitForTheirBytes) {
  EXPECT_THAT(pieces_of({"日", "日�", "日��", "日本", "日本"}),
              ElementsAre("日", "", "", "本", ""));
  EXPECT_THAT(pieces_of({"a�", "a��", "a��"}), ElementsAre("a", "", "��"));
}

TEST(TextPieces, WhatMayBecomeAStopTextWaits) {
  EXPECT_THAT(pieces_of({"one", "one\n", "one\nQ", "one\nQu", "one\nQuite"}, {"\nQ:"}),
              ElementsAre("one", "", "", "\nQu", "ite"));
  EXPECT_THAT(pieces_of({"one\nQ", "one"}, {"\nQ:"}), ElementsAre("one", ""));
  EXPECT_THAT(pieces_of({"xab", "xabc", "xabcd!"}, {"bz", "abcde"}), ElementsAre("x", "", "abcd!"));
}

TEST(TextPieces, ShownCharactersAreNotTakenBack) {
  // A decoder that gives up on a run of bytes spells all of it anew.
  EXPECT_THAT(pieces_of({"😀", "�����", "😀😀", "😀😀!"}), ElementsAre("😀", "", "😀", "!"));
  EXPECT_THAT(pieces_of({"😀", "�����", "�����a"}), ElementsAre("😀", "", "�����a"));
}

}  // namespace
}  // namespace xkde
