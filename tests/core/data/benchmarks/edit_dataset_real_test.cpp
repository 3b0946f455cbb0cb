#include <gtest/gtest.h>

#include "tests/core/data/benchmarks/edit_rows.h"
#include "tests/support/shared_folder.h"

namespace xkde {
namespace {

using test::load_edits;

/// Counts as the data's own manifest states them: 400 rows a file, 4 without Turkish, 1 without
/// Vietnamese.
class RealEdits : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(bmike()) || !std::filesystem::exists(mzsre())) {
      GTEST_SKIP() << "no benchmark rows in " << test::shared_folder() << " (XKDE_SHARED_DIR)";
    }
  }
  static std::filesystem::path bmike() { return test::shared_folder() / "data/bmike53_zsre"; }
  static std::filesystem::path mzsre() {
    return test::shared_folder() / "data/bmike53_in_mzsre_layout";
  }
};

constexpr size_t kNumHere = 12;  ///< the languages of MzsRE come first

int64_t rows_without(const std::string& iso) { return iso == "tr" ? 4 : iso == "vi" ? 1 : 0; }

TEST_F(RealEdits, EveryBmikeFileHasItsRows) {
  for (const Language& language : languages().first(kNumHere)) {
    const EditDataset dataset =
        load_edits("bmike53", bmike(), "en", language.file_code.c_str(), {});

    const int64_t skipped = rows_without(language.iso);
    EXPECT_EQ(dataset.records.size(), static_cast<size_t>(400 - skipped)) << language.iso;
    EXPECT_EQ(dataset.skipped.size(), skipped == 0 ? 0U : 1U);
    if (skipped > 0) {
      EXPECT_EQ(dataset.skipped.at("no language " + language.iso), skipped);
    }
    for (const EditRecord& record : dataset.records) {
      EXPECT_NE(record.sides.at(language.iso).first_probe(false), nullptr);
    }
  }
}

TEST_F(RealEdits, EveryPairOfLanguagesJoins) {
  for (const char* edit : {"zh", "tr", "cs"}) {
    for (const Language& test : languages().first(kNumHere)) {
      const EditDataset dataset = load_edits("bmike53", bmike(), edit, test.iso.c_str(), {});

      int64_t skipped = rows_without(edit);
      if (test.iso != edit) skipped += rows_without(test.iso);
      EXPECT_EQ(dataset.records.size(), static_cast<size_t>(400 - skipped))
          << edit << " " << test.iso;
    }
  }
}

TEST_F(RealEdits, MzsreLayoutHasTheSameFacts) {
  for (const char* code : {"zh", "cz", "du"}) {
    const EditDataset mzsre_rows = load_edits("mzsre", mzsre(), "en", code, {});
    const EditDataset bmike_rows = load_edits("bmike53", bmike(), "en", code, {});

    ASSERT_EQ(mzsre_rows.records.size(), 400U);
    ASSERT_EQ(bmike_rows.records.size(), 400U);
    for (size_t i = 0; i < 400; ++i) {
      const EditSide& a = mzsre_rows.records[i].sides.at(language_of(code).iso);
      const EditSide& b = bmike_rows.records[i].sides.at(language_of(code).iso);
      EXPECT_EQ(a.src, b.src);
      EXPECT_EQ(a.first_probe(false)->target, b.first_probe(false)->target);
    }
  }
}

TEST_F(RealEdits, MzsreLayoutJoinsTwoOtherLanguages) {
  EXPECT_EQ(load_edits("mzsre", mzsre(), "cz", "zh", {}).records.size(), 400U);
  EXPECT_EQ(load_edits("mzsre", mzsre(), "zh", "en", {}).records.size(), 400U);
  EXPECT_EQ(load_edits("mzsre", mzsre(), "en", "en", {}).records.size(), 400U);
}

TEST_F(RealEdits, OuterBlanksAreKept) {
  const EditDataset dataset = load_edits("bmike53", bmike(), "en", "zh", {});

  int64_t blank_edges = 0;
  for (const EditRecord& record : dataset.records) {
    const std::string& alt = record.sides.at("en").alt;
    blank_edges += alt.front() == ' ' || alt.back() == ' ' ? 1 : 0;
  }
  EXPECT_EQ(blank_edges, 4);
}

}  // namespace
}  // namespace xkde
