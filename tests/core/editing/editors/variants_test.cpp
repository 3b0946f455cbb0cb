#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/editing/editors/editors.h"
#include "tests/core/editing/editors/bench.h"

namespace xkde {
namespace {

/// An option of an editor.
struct Variant {
  std::string name;
  EditorKind kind;
  std::function<void(EditorSettings&)> set;
};

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const EditorKind kind : {EditorKind::kMemit, EditorKind::kMemitHistory, EditorKind::kEmmet,
                                EditorKind::kAlphaEdit}) {
    all.push_back({concat(name_of(kEditors, kind), "_anchored"), kind,
                   [](EditorSettings& settings) { settings.anchor_edits = 2; }});
  }
  all.push_back({"alphaedit_refreshed", EditorKind::kAlphaEdit, [](EditorSettings& settings) {
                   settings.cov_weight = 1.0;
                   settings.refresh_every = 2;
                   settings.null_threshold = 0.3;
                 }});
  all.push_back(
      {"alphaedit_refreshed_and_anchored", EditorKind::kAlphaEdit, [](EditorSettings& settings) {
         settings.anchor_edits = 2;
         settings.cov_weight = 1.0;
         settings.refresh_every = 2;
         settings.null_threshold = 0.3;
       }});
  all.push_back({"ultraedit_whitened", EditorKind::kUltraEdit, [](EditorSettings& settings) {
                   settings.whiten = true;
                   settings.ridge = 2.0;
                 }});
  return all;
}

EditorParts parts_of(const Bench& bench, const Variant& variant) {
  EditorParts parts = bench.parts(variant.kind);
  if (variant.kind == EditorKind::kAlphaEdit) parts.settings.cov_weight = 0.0;
  parts.settings.steps = 4;  // no option looks at how values are found
  variant.set(parts.settings);
  const auto requests = some_requests();
  parts.pilots.assign(requests.begin(), requests.begin() + 2);
  return parts;
}

class VariantOf : public testing::TestWithParam<Variant> {
 protected:
  std::unique_ptr<Editor> made(const Bench& bench, const EditableModel& model) const {
    return make_editor(GetParam().kind, model, parts_of(bench, GetParam()));
  }
  const std::vector<EditRequest> requests_ = some_requests();
  const std::span<const EditRequest> first_ = std::span(requests_).first(2);
  const std::span<const EditRequest> rest_ = std::span(requests_).subspan(2);
};

TEST_P(VariantOf, WritesAnotherChange) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  Solo solo;
  std::vector<std::map<MatrixPlace, at::Tensor>> found;
  for (const bool is_plain : {true, false}) {
    Variant variant = GetParam();
    if (is_plain) variant.set = [](EditorSettings&) {};
    WeightOverlay overlay(editable);
    const auto editor = make_editor(variant.kind, editable, parts_of(bench, variant));
    editor->write(first_, overlay, solo);
    editor->write(rest_, overlay, solo);
    found.push_back(overlay.changed());
    overlay.revert();
  }
  for (const auto& [matrix, value] : found[0])
    EXPECT_FALSE(at::allclose(found[1].at(matrix), value, 1e-6, 1e-7)) << matrix.name;
}

TEST_P(VariantOf, WritesTheSameInATeam) {
  const Bench alone;
  const EditableModel editable = alone.editable();
  WeightOverlay expected(editable);
  Solo solo;
  const auto single = made(alone, editable);
  single->write(first_, expected, solo);
  single->write(rest_, expected, solo);

  std::vector<std::map<MatrixPlace, at::Tensor>> found(2);
  std::vector<std::map<std::string, at::Tensor>> states(2);
  as_two_ranks([&](size_t rank, const Bench& bench, const EditableModel& model,
                   WeightOverlay& overlay, Team& team) {
    const auto editor = made(bench, model);
    editor->write(first_, overlay, team);
    editor->write(rest_, overlay, team);
    found[rank] = overlay.changed();
    states[rank] = editor->state();
  });

  for (const auto& [matrix, value] : expected.changed()) {
    EXPECT_TRUE(at::equal(found[0].at(matrix), found[1].at(matrix))) << matrix.name;
    EXPECT_TRUE(at::allclose(found[0].at(matrix), value, 1e-4, 1e-5)) << matrix.name;
  }
  for (const auto& [name, tensor] : single->state()) {
    EXPECT_TRUE(at::equal(states[0].at(name), states[1].at(name))) << name;
    if (name == "anchor") {
      EXPECT_TRUE(at::equal(states[0].at(name), tensor));
    }
  }
}

TEST_P(VariantOf, GoesOnFromItsStateBitForBit) {
  const Bench whole, parted;
  const EditableModel one = whole.editable(), other = parted.editable();
  WeightOverlay expected(one), found(other);
  Solo solo;
  const auto editor = made(whole, one);
  editor->write(first_, expected, solo);
  const auto state = editor->state();
  for (const auto& [matrix, value] : expected.changed()) found.set(matrix, value);
  editor->write(rest_, expected, solo);

  EditorParts parts = parts_of(parted, GetParam());
  parts.pilots.clear();  // what they gave is in the state
  const auto fresh = make_editor(GetParam().kind, other, parts);
  fresh->restore(state);
  fresh->write(rest_, found, solo);

  for (const auto& [matrix, value] : expected.changed())
    EXPECT_TRUE(at::equal(found.changed().at(matrix), value)) << matrix.name;
  const auto last = fresh->state();
  for (const auto& [name, tensor] : editor->state())
    EXPECT_TRUE(at::equal(last.at(name), tensor)) << name;
}

TEST_P(VariantOf, KnowsNothingOfAStreamThatWasTakenBack) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  const auto editor = made(bench, editable);
  const auto first = editor->state();
  WeightOverlay overlay(editable);
  Solo solo;
  editor->write(first_, overlay, solo);
  const auto early = overlay.changed();
  editor->write(rest_, overlay, solo);
  const auto late = overlay.changed();

  overlay.revert();
  editor->restore(first);
  editor->write(first_, overlay, solo);
  for (const auto& [matrix, value] : early)
    EXPECT_TRUE(at::equal(overlay.changed().at(matrix), value)) << matrix.name;
  editor->write(rest_, overlay, solo);
  for (const auto& [matrix, value] : late)
    EXPECT_TRUE(at::equal(overlay.changed().at(matrix), value)) << matrix.name;
}

INSTANTIATE_TEST_SUITE_P(Variants, VariantOf, testing::ValuesIn(variants()),
                         [](const auto& variant) { return variant.param.name; });

}  // namespace
}  // namespace xkde
