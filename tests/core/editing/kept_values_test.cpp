#include "core/editing/kept_values.h"

#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/core/editing/editors/bench.h"

namespace xkde {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

/// Vectors of some requests, of which a pass takes two or three.
class KeptValuesOf : public testing::Test {
 protected:
  KeptValuesOf() { options_.max_tokens = 64; }

  KeptValues all_found() const {
    KeptValues kept(requests_);
    while (kept.found() < kept.size()) find_next(kept);
    return kept;
  }
  void find_next(KeptValues& kept) const {
    Solo solo;
    kept.find_next(model_, parts_.settings, options_, solo);
  }

  static void expect_equal(const ValueVectors& found, const ValueVectors& expected) {
    EXPECT_TRUE(at::equal(found.before, expected.before));
    EXPECT_TRUE(at::equal(found.values, expected.values));
    EXPECT_EQ(found.steps, expected.steps);
    EXPECT_EQ(found.losses, expected.losses);
  }

  const std::vector<EditRequest> requests_ = some_requests();
  const Bench bench_;
  const EditableModel model_ = bench_.editable();
  const EditorParts parts_ = bench_.parts(EditorKind::kRome);
  ValueOptions options_{.layer = 0, .contexts = parts_.contexts};
};

TEST_F(KeptValuesOf, AreThoseOfAllRequestsTogether) {
  KeptValues kept(requests_);
  find_next(kept);
  EXPECT_GT(kept.found(), 0);
  ASSERT_LT(kept.found(), kept.size());  // a part at a time
  Solo solo;
  const ValueVectors expected = value_vectors(model_, requests_, parts_.settings, options_, solo);
  const auto found = all_found().of(requests_);
  ASSERT_TRUE(found);
  expect_equal(*found, expected);
}

TEST_F(KeptValuesOf, KeepSeveralMembersBusyWhereRequestsAreFew) {
  ValueOptions wide = options_;
  wide.max_tokens = 1 << 20;
  const auto groups = [&] { return value_groups(model_, requests_, parts_.settings, wide); };
  EXPECT_THAT(groups(), testing::ElementsAre(5));  // too few rows to be worth two passes
  wide.contexts.assign(200, "{}");
  EXPECT_THAT(groups(), testing::ElementsAre(1, 1, 1, 1, 1));
}

TEST_F(KeptValuesOf, AreTheSameInEveryBatch) {
  const KeptValues kept = all_found();
  const auto whole = kept.of(requests_);
  const std::vector<EditRequest> turned{requests_[3], requests_[1]};

  const auto found = kept.of(turned);

  ASSERT_TRUE(found);
  EXPECT_TRUE(at::equal(found->values[0], whole->values[3]));
  EXPECT_TRUE(at::equal(found->values[1], whole->values[1]));
  EXPECT_EQ(found->losses, (std::vector<double>{whole->losses[3], whole->losses[1]}));
}

TEST_F(KeptValuesOf, SayWhatTheyDoNotHave) {
  KeptValues kept(requests_);
  EXPECT_FALSE(kept.of(std::span(requests_).first(1)));
  find_next(kept);
  EXPECT_TRUE(kept.of(std::span(requests_).first(1)));
  EXPECT_FALSE(kept.of(requests_));  // the last is missing
  std::vector<EditRequest> other{requests_[0]};
  other[0].target += "x";
  EXPECT_FALSE(kept.of(other));
}

TEST_F(KeptValuesOf, CountARequestThatComesTwiceOnce) {
  EXPECT_EQ(KeptValues({requests_[0], requests_[1], requests_[0]}).size(), 2);
}

TEST_F(KeptValuesOf, GoOnFromTheirTensors) {
  KeptValues first(requests_), second(requests_);
  find_next(first);
  second.restore(first.tensors(), at::kCPU);
  EXPECT_EQ(second.found(), first.found());
  while (second.found() < second.size()) find_next(second);
  expect_equal(*second.of(requests_), *all_found().of(requests_));

  auto tensors = all_found().tensors();
  KeptValues shorter(std::vector<EditRequest>(requests_.begin(), requests_.begin() + 2));
  EXPECT_THAT([&] { shorter.restore(tensors, at::kCPU); },
              ThrowsMessage<DataError>(HasSubstr("the first of 2 requests, found 5 rows")));
  tensors["values"] = tensors["values"].narrow(0, 0, 3);
  EXPECT_THROW(KeptValues(requests_).restore(tensors, at::kCPU), DataError);
}

TEST_F(KeptValuesOf, AreTheSameBitsInATeam) {
  Crew crew(2);
  std::vector<KeptValues> kept(2, KeptValues(requests_));
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      Crew::Member member(crew, rank);
      KeptValues& own = kept[static_cast<size_t>(rank)];
      while (own.found() < own.size()) own.find_next(model_, parts_.settings, options_, member);
    });
  }
  threads.clear();
  const ValueVectors alone = *all_found().of(requests_);
  for (const KeptValues& one : kept) expect_equal(*one.of(requests_), alone);
}

/// An editor looks up what it prepared, and only for the model without edits.
class Prepared : public testing::TestWithParam<EditorKind> {};

TEST_P(Prepared, IsWhatABatchFromTheUneditedModelIsWrittenWith) {
  const std::vector<EditRequest> requests = some_requests();
  const std::span<const EditRequest> batch = std::span(requests).subspan(1, 2);
  const Bench bench;
  const EditableModel model = bench.editable();
  Solo solo;
  const auto written_by = [&](Editor& editor) {
    WeightOverlay overlay(model);
    const EditNotes notes = editor.write(batch, overlay, solo);
    const auto changed = overlay.changed();
    std::map<std::string, at::Tensor> all;
    for (const auto& [matrix, value] : changed) all[matrix.name] = value;
    overlay.revert();
    return std::pair(notes, all);
  };
  EditorParts parts = bench.parts(GetParam());
  const auto [notes, expected] = written_by(*make_editor(GetParam(), model, parts));
  parts.fresh = requests;
  const auto editor = make_editor(GetParam(), model, parts);
  const auto state = editor->state();
  EXPECT_EQ(editor->preparation().total, std::ssize(requests));
  while (editor->preparation().done < editor->preparation().total) editor->prepare(solo);

  const auto [noted, found] = written_by(*editor);
  editor->restore(state);
  const auto [again, twice] = written_by(*editor);

  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, value] : expected) {
    EXPECT_TRUE(at::allclose(found.at(name), value, 1e-4, 1e-5)) << name;
    EXPECT_TRUE(at::equal(found.at(name), twice.at(name))) << name;
  }
  EXPECT_EQ(noted.steps, notes.steps);
}

TEST_P(Prepared, IsNotLookedAtBehindAnEdit) {
  const std::vector<EditRequest> requests = some_requests();
  const Bench prepared, plain;
  Solo solo;
  std::vector<std::map<MatrixPlace, at::Tensor>> found;
  for (const Bench* bench : {&prepared, &plain}) {
    const EditableModel model = bench->editable();
    EditorParts parts = bench->parts(GetParam());
    if (bench == &prepared) parts.fresh = {requests[2], requests[3]};
    const auto editor = make_editor(GetParam(), model, parts);
    while (editor->preparation().done < editor->preparation().total) editor->prepare(solo);
    WeightOverlay overlay(model);
    editor->write(std::span(requests).first(1), overlay, solo);
    editor->write(std::span(requests).subspan(2, 2), overlay, solo);
    found.push_back(overlay.changed());
  }
  for (const auto& [matrix, value] : found[1])
    EXPECT_TRUE(at::equal(found[0].at(matrix), value)) << matrix.name;
}

INSTANTIATE_TEST_SUITE_P(Kinds, Prepared,
                         testing::Values(EditorKind::kRome, EditorKind::kMemit,
                                         EditorKind::kMemitHistory, EditorKind::kEmmet,
                                         EditorKind::kAlphaEdit),
                         [](const auto& kind) {
                           return std::string(name_of(kEditors, kind.param));
                         });

}  // namespace
}  // namespace xkde
