#ifndef XKDE_STAGES_EDIT_EDIT_SESSION_H_
#define XKDE_STAGES_EDIT_EDIT_SESSION_H_

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/editing/edited_weights.h"
#include "core/editing/editors/editor.h"
#include "core/io/json_file.h"
#include "stages/run/run_context.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// The run's model, made resident, as editors see it; `chat_key`: a key of ChatTemplate::select.
/// `context` outlives it. Collective.
EditableModel editable_model(RunContext& context, const std::string& chat_key);

/// What identifies the files of the run's model: a SHA-256 of theirs.
std::string model_digest(const RunContext& context);

/// Throws CheckpointError where ranks found different numbers of edits in `file`.
void check_same_on_all_ranks(const std::filesystem::path& file, std::span<const int64_t> found);

/// All ranks of a run as a team.
class RankTeam final : public Team {
 public:
  /// `comm` outlives it; `device`: where its collectives take tensors.
  RankTeam(dist::Communicator& comm, at::Device device) : comm_(comm), device_(device) {}
  int rank() const override { return comm_.rank(); }
  int size() const override { return comm_.size(); }
  void add_up(at::Tensor& tensor) override;

 private:
  dist::Communicator& comm_;
  at::Device device_;
};

/// Throws where an EditSession of a stage would, but for second moments of another model.
/// `edits`: how many there are to take pilots from.
void check_editor(EditorKind kind, const EditorOptions& options, const SurveyInputs& inputs,
                  size_t edits);

/// Edits in the weights of a run's model, which is resident. Contexts are made of the weights that
/// it begins with.
class EditSession {
 public:
  /// Collective. `context` outlives it. Throws as check_editor(), ConfigError where there are no
  /// second moments for an editor that needs them, DataError where they are of another model or
  /// singular, and ConfigError where `stream` has fewer edits that can be written than there are to
  /// be pilots. `stream`: edits whose first ones are the pilots; not kept.
  /// `fresh`: edits that are written into the weights without edits, perhaps in several batches;
  /// those that cannot be written are left out.
  EditSession(EditorKind kind, const EditorOptions& options, RunContext& context,
              std::span<const EditRequest> stream, std::span<const EditRequest> fresh = {});

  /// Finds what the editor needs of the weights without edits, once for all batches that begin from
  /// them. Goes on from `kept`, a file that it writes; not there where there is nothing to find.
  /// Throws StopRequested, and CheckpointError where the file is damaged. Collective.
  void prepare(const std::filesystem::path& kept);

  /// Takes all edits back: the weights are those that the session began with, bit for bit, and the
  /// editor has seen no edit. Not collective.
  void begin_stream();
  /// Why a request cannot be written; nothing where it can.
  std::optional<std::string> why_not(const EditRequest& request) const;
  /// Writes those that can be written as one batch. The notes are those of these requests, in their
  /// order. Collective within the team.
  EditNotes write(std::span<const EditRequest> requests, Team& team);

  /// What the edits so far made, and what state() goes on from.
  EditedFile edited() const;
  /// Goes on from there; in place of begin_stream().
  void restore(const EditedFile& edited);
  /// What `requests` are written with: two sessions that say the same write the same. JSON.
  std::string written_with(std::span<const EditRequest> requests) const;

  /// What questions look the edits up in; null: they stand in the weights. At one place as long as
  /// the session lives.
  const EditLookup* lookup() const { return editor_->lookup(); }

  /// Bytes of the changed weights and of what the editor keeps, on this rank.
  int64_t state_bytes() const;
  const std::vector<std::string>& contexts() const noexcept { return contexts_; }
  /// The settings that the editor works with, as JSON.
  Json settings() const { return settings_json(kind_, settings_); }
  /// What the second moments are read from; empty: nothing.
  const std::filesystem::path& covariance() const noexcept { return covariance_; }

 private:
  EditorParts parts() const;
  /// Goes on from `kept` where it is of the same requests and settings.
  void restore_prepared(const std::filesystem::path& kept);
  void save_prepared(const std::filesystem::path& kept) const;
  std::vector<EditRequest> pilots(std::span<const EditRequest> stream) const;

  EditorKind kind_;
  RunContext& context_;
  EditableModel model_;
  EditorSettings settings_;
  std::filesystem::path covariance_;
  std::vector<std::string> contexts_;
  std::vector<std::string> unrelated_;
  int64_t max_tokens_;
  WeightOverlay overlay_;
  std::unique_ptr<Editor> editor_;
  std::map<std::string, at::Tensor> first_state_;
  std::string prepared_with_;  ///< what the vectors in a file are found with
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EDIT_EDIT_SESSION_H_
