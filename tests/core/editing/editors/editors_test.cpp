#include "core/editing/editors/editors.h"

#include <exception>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/editing/request_tokens.h"
#include "core/editing/subject_keys.h"
#include "core/editing/value_vectors.h"
#include "tests/core/editing/editors/bench.h"

namespace xkde {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class EditorOf : public testing::TestWithParam<EditorKind> {
 protected:
  /// All that an editor wrote, by name: weights, and what it keeps where that is what it writes.
  std::map<std::string, at::Tensor> written(const Editor& editor,
                                            const WeightOverlay& overlay) const {
    if (entry_of(kEditors, GetParam()).looks_up) return editor.state();
    std::map<std::string, at::Tensor> all;
    for (const auto& [matrix, value] : overlay.changed()) all[matrix.name] = value;
    return all;
  }
  const std::vector<EditRequest> requests_ = some_requests();
};

TEST_P(EditorOf, MakesTargetsLikelierAndIsTakenBack) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  const auto editor = make_editor(GetParam(), editable, bench.parts(GetParam()));
  const auto first = editor->state();
  WeightOverlay overlay(editable);
  Solo solo;
  const double before = bench.mean_loss(requests_);

  const EditNotes notes = editor->write(requests_, overlay, solo);

  EXPECT_LT(bench.mean_loss(requests_, editor->lookup()), before);
  EXPECT_EQ(notes.losses.size(), requests_.size());
  EXPECT_EQ(notes.steps.size(), requests_.size());
  overlay.revert();
  editor->restore(first);
  EXPECT_EQ(bench.mean_loss(requests_, editor->lookup()), before);
}

TEST_P(EditorOf, WritesTheSameInATeam) {
  const Bench alone;
  const EditableModel editable = alone.editable();
  WeightOverlay overlay_of_one(editable);
  Solo solo;
  const auto one = make_editor(GetParam(), editable, alone.parts(GetParam()));
  one->write(requests_, overlay_of_one, solo);

  std::vector<std::map<std::string, at::Tensor>> found(2);
  as_two_ranks([&](size_t rank, const Bench& bench, const EditableModel& model,
                   WeightOverlay& overlay, Team& team) {
    const auto editor = make_editor(GetParam(), model, bench.parts(GetParam()));
    editor->write(requests_, overlay, team);
    found[rank] = written(*editor, overlay);
  });

  const auto expected = written(*one, overlay_of_one);
  EXPECT_FALSE(expected.empty());
  for (const auto& [name, value] : expected) {
    EXPECT_TRUE(at::equal(found[0].at(name), found[1].at(name))) << name;
    // The order in which sums of packs are added up.
    EXPECT_TRUE(at::allclose(found[0].at(name), value, 1e-4, 1e-5)) << name;
  }
}

TEST_P(EditorOf, GoesOnFromItsStateBitForBit) {
  const Bench whole, parted;
  const std::span<const EditRequest> all(requests_);
  const EditableModel one = whole.editable(), other = parted.editable();
  WeightOverlay expected(one);
  Solo solo;
  const auto editor = make_editor(GetParam(), one, whole.parts(GetParam()));
  editor->write(all.first(2), expected, solo);
  const auto state = editor->state();
  const auto weights = expected.changed();
  editor->write(all.subspan(2), expected, solo);

  WeightOverlay found(other);
  for (const auto& [matrix, value] : weights) found.set(matrix, value);
  const auto fresh = make_editor(GetParam(), other, parted.parts(GetParam()));
  fresh->restore(state);
  fresh->write(all.subspan(2), found, solo);

  const auto again = written(*fresh, found);
  for (const auto& [name, value] : written(*editor, expected))
    EXPECT_TRUE(at::equal(again.at(name), value)) << name;
}

TEST_P(EditorOf, KnowsNothingOfAStreamThatWasTakenBack) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  const auto editor = make_editor(GetParam(), editable, bench.parts(GetParam()));
  const auto first = editor->state();
  WeightOverlay overlay(editable);
  Solo solo;
  const std::span<const EditRequest> all(requests_);
  editor->write(all.first(2), overlay, solo);
  const auto expected = written(*editor, overlay);
  editor->write(all.subspan(2), overlay, solo);

  overlay.revert();
  editor->restore(first);
  editor->write(all.first(2), overlay, solo);

  const auto again = written(*editor, overlay);
  EXPECT_EQ(again.size(), expected.size());
  for (const auto& [name, value] : expected) EXPECT_TRUE(at::equal(again.at(name), value)) << name;
}

std::vector<EditorKind> all_kinds() {
  std::vector<EditorKind> kinds;
  for (const EditorEntry& entry : kEditors) kinds.push_back(entry.value);
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(Kinds, EditorOf, testing::ValuesIn(all_kinds()), [](const auto& kind) {
  return std::string(name_of(kEditors, kind.param));
});

class EditorOfModel : public testing::TestWithParam<std::string> {};

/// Behind an edit of one layer that hardly minds other keys, what stands at the subject is the
/// value vector, in every family.
TEST_P(EditorOfModel, PutsTheValueVectorWhereTheSubjectStands) {
  const std::vector<EditRequest> all = some_requests();
  const std::span<const EditRequest> requests = std::span(all).first(1);
  for (const EditorKind kind : {EditorKind::kRome, EditorKind::kMemit, EditorKind::kEmmet}) {
    const Bench bench(GetParam());
    const EditableModel editable = bench.editable();
    EditorParts parts = bench.parts(kind);
    parts.settings.modules = {{"down_proj", {0}}};
    parts.settings.cov_weight = parts.settings.emmet_lambda = 1e-9;
    parts.contexts = {"{}"};
    const bool in_mlp = kind == EditorKind::kRome || norms_mlp_output(bench.model.decoder.config());
    const ValueOptions options{
        .layer = 0,
        .place = in_mlp ? VectorPlace::kMlpOutput : VectorPlace::kBlockOutput,
        .contexts = parts.contexts,
        .max_tokens = parts.max_tokens};
    Solo solo;
    const ValueVectors wanted = value_vectors(editable, requests, parts.settings, options, solo);
    WeightOverlay overlay(editable);

    const EditNotes notes = make_editor(kind, editable, parts)->write(requests, overlay, solo);

    EXPECT_EQ(notes.losses, wanted.losses);
    SubjectRows rows(editable, requests, parts.contexts, parts.max_tokens, solo);
    at::Tensor found = rows.outputs(0);
    if (in_mlp) {
      const MatrixPlace down = find_matrix(bench.model.decoder, 0, "down_proj", "x");
      found = rows.keys().matmul(overlay.value(down).to(at::kDouble).t());
      const auto roles = bench.model.decoder.parameter_roles(1);
      for (size_t i = 0; i < roles.size(); ++i) {
        if (roles[i] == TensorRole::kDownBias) found = found + bench.model.weights[1][i];
      }
    }
    const at::Tensor expected = wanted.values.to(at::kDouble);
    EXPECT_LT(((found - expected).norm() / expected.norm()).item<double>(), 1e-4)
        << name_of(kEditors, kind);
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, EditorOfModel, testing::ValuesIn(golden_models()), golden_name);

TEST(Editors, RejectLayersThatTheyCannotWrite) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  EditorParts parts = bench.parts(EditorKind::kRome);
  parts.settings.modules = {{"down_proj", {0, 1}}};
  EXPECT_THAT(
      [&] { make_editor(EditorKind::kRome, editable, parts); },
      ThrowsMessage<ConfigError>(HasSubstr("editor.layers: expected one layer for rome, found 2")));

  parts.settings.modules = {{"up_proj", {0}}};
  EXPECT_THAT([&] { make_editor(EditorKind::kRome, editable, parts); },
              ThrowsMessage<ConfigError>(
                  HasSubstr("editor.modules: expected down_proj for rome, found up_proj")));

  parts.settings.modules = {{"down_proj", {0}}, {"up_proj", {0}}};
  EXPECT_THAT([&] { make_editor(EditorKind::kFtM, editable, parts); },
              ThrowsMessage<ConfigError>(
                  HasSubstr("editor.modules: expected one module for ft_m, found 2")));

  parts = bench.parts(EditorKind::kMemit);
  parts.settings.modules = {{"down_proj", {1, 0}}};
  EXPECT_THAT([&] { make_editor(EditorKind::kMemit, editable, parts); },
              ThrowsMessage<ConfigError>(HasSubstr(
                  "editor.layers: expected layers in ascending order, found 0 behind 1")));
}

/// One row of one matrix has no spread, and normed it is 0.
TEST(Editors, UltraEditBeginsWithASingleRow) {
  const Bench bench;
  EditableModel editable = bench.editable();
  const ChatTemplate plain = ChatTemplate::select("plain", "");
  editable.chat_template = &plain;
  const std::vector<EditRequest> requests = {{0, "en", "Where is Tessel from?", "Tessel", "O"},
                                             {1, "en", "Where is Tessel buried?", "Tessel", "L"}};
  ASSERT_EQ(request_tokens(editable, requests[0], "{}", false).target_ids.size(), 1U);
  WeightOverlay overlay(editable);
  Solo solo;
  // Matrices of one shape share their statistics, so that two of them give two rows.
  EditorParts parts = bench.parts(EditorKind::kUltraEdit);
  parts.settings.modules = {{"gate_proj", {0}}};
  const auto editor = make_editor(EditorKind::kUltraEdit, editable, parts);
  const MatrixPlace matrix = find_matrix(bench.model.decoder, 0, "gate_proj", "x");
  const at::Tensor before = overlay.value(matrix);

  editor->write(std::span(requests).first(1), overlay, solo);
  EXPECT_TRUE(at::equal(overlay.value(matrix), before));
  editor->write(std::span(requests).last(1), overlay, solo);
  EXPECT_FALSE(at::equal(overlay.value(matrix), before));
}

TEST(Editors, NameTheRecordWhoseKeyIsNotFinite) {
  const Bench bench;
  auto weights = bench.model.weights;
  weights[1].front() = at::full_like(weights[1].front(), NAN);
  EditableModel broken = bench.editable();
  broken.weights = [&weights](size_t unit) { return weights[unit]; };
  WeightOverlay overlay(broken);
  Solo solo;
  const auto requests = some_requests();
  const auto grace = make_editor(EditorKind::kGrace, broken, bench.parts(EditorKind::kGrace));
  EXPECT_THAT([&] { grace->write(requests, overlay, solo); },
              ThrowsMessage<NumericError>(HasSubstr("record 0 (en): expected a finite key")));
}

TEST(Editors, NameTheRecordWhoseLossDiverges) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  for (const EditorKind kind : {EditorKind::kRome, EditorKind::kFtM, EditorKind::kUltraEdit}) {
    auto weights = bench.model.weights;
    weights[1].back() = at::full_like(weights[1].back(), NAN);
    EditableModel broken = editable;
    broken.weights = [&weights](size_t unit) { return weights[unit]; };
    WeightOverlay overlay(broken);
    Solo solo;
    const auto requests = some_requests();
    EXPECT_THAT(
        [&] { make_editor(kind, broken, bench.parts(kind))->write(requests, overlay, solo); },
        ThrowsMessage<NumericError>(HasSubstr("record 0 (en): expected a finite loss")))
        << name_of(kEditors, kind);
  }
}

TEST(RequestTokens, SayWhyARequestCannotBeWritten) {
  const Bench bench;
  EditRequest request = some_requests()[0];
  EXPECT_EQ(why_unwritable(bench.editable(), request, true), std::nullopt);

  request.subject = "Nobody";
  EXPECT_EQ(why_unwritable(bench.editable(), request, false), std::nullopt);
  EXPECT_EQ(why_unwritable(bench.editable(), request, true), "subject: not in the prompt");
  request.subject = "";
  EXPECT_EQ(why_unwritable(bench.editable(), request, true), "subject: empty");
  request.target = "";
  EXPECT_EQ(why_unwritable(bench.editable(), request, false), "target: empty");
}

TEST(RequestTokens, FindTheSubjectsLastTokenBehindAContextAndBos) {
  const Tokenizer with_bos = test::byte_tokenizer(/*adds_bos=*/true);
  const Bench bench;
  EditableModel editable = bench.editable();
  const EditRequest request = some_requests()[0];

  const RequestTokens bare = request_tokens(editable, request, "{}", true);
  const RequestTokens behind = request_tokens(editable, request, "So. {}", true);
  const EditableModel bos{
      .decoder = editable.decoder, .tokenizer = with_bos, .weights = editable.weights};
  const RequestTokens third = request_tokens(bos, request, "So. {}", true);

  EXPECT_EQ(bare.subject_end, 17);  // one token a character: "Who leads Arlo Bay"
  EXPECT_EQ(behind.subject_end, 17 + 4);
  EXPECT_EQ(third.subject_end, 17 + 4 + 1);
  EXPECT_EQ(behind.target_ids, bare.target_ids);
}

}  // namespace
}  // namespace xkde
