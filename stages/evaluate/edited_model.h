#ifndef XKDE_STAGES_EVALUATE_EDITED_MODEL_H_
#define XKDE_STAGES_EVALUATE_EDITED_MODEL_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_questionnaire.h"
#include "stages/edit/edit_session.h"
#include "stages/edit/save_clock.h"
#include "stages/evaluate/keys.h"

namespace xkde::recipe {

/// What the editor found before its first edit; gone when all questions are answered.
inline constexpr const char* kPreparedFile = "value_vectors.h5";
/// A stream on its way; gone likewise.
inline constexpr const char* kStreamFile = "stream.h5";

/// The run's model with the edits of one moment of an evaluation in its weights.
class EditedModel {
 public:
  /// Nothing is written yet. `inputs` and `context` outlive it. Collective; throws as EditSession.
  /// `edited`: what will be asked for.
  EditedModel(const EvaluateStage& stage, const EvalInputs& inputs,
              std::span<const EditedWeights> edited, RunContext& context);

  /// Finds what the editor needs before the first edit; nothing is written yet. Goes on from what
  /// an earlier run left in `folder`. Collective. Throws StopRequested.
  void prepare(const std::filesystem::path& folder);
  /// From now on all ranks write together, and a stream goes on from what an earlier run of it left
  /// in `folder`, where it is kept. Collective.
  void keep_streams(const std::filesystem::path& folder);
  /// Makes the weights those of `edits`: goes on from what is there where that is the beginning of
  /// the same stream. `team`: who writes together. Collective within it. Throws StopRequested where
  /// streams are kept.
  void install(const EditedWeights& edits, Team& team);
  /// The weights are as trained again.
  void take_back();
  /// What questions look the edits up in; null: they stand in the weights.
  const EditLookup* lookup() const { return session_.lookup(); }
  /// This rank's share of what writing took.
  double seconds() const noexcept { return seconds_; }
  /// Settings, contexts, and how many edits of the streams cannot be written, by reason.
  Json statistics() const;
  /// Bytes that the changed weights and the editor's state take beside the model.
  int64_t state_bytes() const { return state_bytes_; }

 private:
  void write(const EditedWeights& edits, int64_t begin, int64_t end, Team& team);
  /// The edits of `edits` that are in the weights now; all before it are taken back.
  int64_t begin(const EditedWeights& edits, int64_t step);
  /// Keeps the edits of the stream so far where it is time to, or where someone asked to stop.
  void write_and_keep(const EditedWeights& edits, int64_t begin, int64_t end, Team& team);
  void save(const EditedWeights& edits, EditedFile file, int64_t written);

  const EvaluateStage& stage_;
  const EvalInputs& inputs_;
  const std::vector<EditRequest> requests_;  ///< of all streams, those of equal ones once
  EditSession session_;
  RunContext& context_;
  std::filesystem::path kept_;  ///< a file; empty: streams are not kept
  SaveClock saves_;
  std::optional<EditedWeights> there_;
  double seconds_ = 0.0;
  int64_t state_bytes_ = 0;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_EDITED_MODEL_H_
