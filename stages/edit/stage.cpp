#include "stages/edit/stage.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stopwatch.h"
#include "core/edit/edit_questions.h"
#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"
#include "distributed/comm/agreement.h"
#include "distributed/planner/machine_presets.h"
#include "stages/edit/edit_session.h"
#include "stages/edit/editing_memory.h"
#include "stages/edit/save_clock.h"
#include "stages/recipe/run_record.h"
#include "stages/run/chunk_log.h"
#include "stages/run/json_lines.h"
#include "stages/run/output_path.h"
#include "stages/run/progress.h"
#include "stages/run/stop_request.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// What the editor goes on from; gone when the stage is finished.
constexpr const char* kStateFile = "state.h5";

/// What the files give, and what of their rows is no request, by reason.
struct Requests {
  std::vector<EditRequest> edits;  ///< in the order of languages and records
  std::map<std::string, int64_t> skipped;
};

Requests requests_of(const EditSelection& edits, LoadedData& files) {
  Requests requests;
  for (const std::string& code : edits.edit_languages) {
    const Language& language = language_of(code);
    const EditDataset data = edits.load(code, code, Split::kTest, files);
    for (const auto& [reason, count] : data.skipped)
      requests.skipped[concat(language.iso, ": ", reason)] += count;
    for (const EditRecord& record : data.records) {
      const EditSide& side = side_of(record, language);
      requests.edits.push_back({record.index, language.iso, side.src, side.subject, side.alt});
    }
  }
  return requests;
}

/// One stage at work.
class Writer {
 public:
  Writer(const EditStage& stage, fs::path folder, RunContext& context)
      : stage_(stage),
        folder_(std::move(folder)),
        context_(context),
        from_files_(requests_of(stage.edits, context.data().files)),
        session_(stage.method, stage.editor, context, requests_),
        written_with_(session_.written_with(requests_)),
        team_(context.comm(), context.device()) {}

  void run() {
    int64_t next = resume();
    const auto count = std::ssize(requests_);
    check_writable();
    progress_.emplace("edit", count, next, std::max<int64_t>(1, count / 5), context_.is_root());
    while (next < count) {
      if (stop_requested_anywhere(context_.comm())) {
        if (next == 0) throw StopRequested("stopped on request, before the first edit");
        if (context_.is_root()) save(session_.edited(), next);
        throw StopRequested(stopped());
      }
      const int64_t end = std::min(count, next + stage_.editor.batch);
      write(next, end);
      next = end;
      if (context_.is_root() && next < count && saves_.is_due()) save(session_.edited(), next);
    }
    finish();
  }

 private:
  /// A model without any of its edits is not what was asked for.
  void check_writable() const {
    std::map<std::string, int64_t> reasons;
    for (const EditRequest& request : requests_) {
      const std::optional<std::string> why = session_.why_not(request);
      if (!why) return;
      ++reasons[*why];
    }
    std::string told;
    for (const auto& [reason, count] : reasons)
      told += concat(told.empty() ? "" : ", ", reason, ": ", count);
    throw DataError(concat(stage_.edits.data.string(),
                           ": expected an edit that can be written, found none (", told, ")"));
  }

  int64_t resume() {
    std::optional<EditedFile> state;
    const std::vector<int64_t> found = dist::agree(context_.comm(), [&] {
      if (is_there(folder_ / kStateFile, FileOrigin::kOwn))
        state = read_edited(folder_ / kStateFile);
      return state ? state->written : int64_t{0};
    });
    check_same_on_all_ranks(folder_ / kStateFile, found);
    const int64_t written = found.front();
    if (state) {
      XKDE_CHECK(state->editor == written_with_ && written <= std::ssize(requests_),
                 CheckpointError, (folder_ / kStateFile).string(), ": expected what ",
                 written_with_, " made, found what ", state->editor, " made");
      session_.restore(*state);
    }
    if (context_.is_root()) {
      keep_lines_up_to(folder_ / kEditsFile, "edit", written - 1);
      lines_.emplace(folder_ / kEditsFile);
    }
    return written;
  }

  void write(int64_t begin, int64_t end) {
    const Stopwatch watch;
    const std::span<const EditRequest> batch(requests_.data() + begin,
                                             static_cast<size_t>(end - begin));
    const EditNotes notes = write_or_stop(batch, begin);
    const double seconds = watch.seconds();
    progress_->update(end,
                      fmt::format("{:.2f} edits/s", static_cast<double>(end - begin) / seconds));
    if (!context_.is_root()) return;
    size_t next = 0;  // of those that were written
    for (size_t i = 0; i < batch.size(); ++i) {
      Json line = line_of(batch[i], begin + static_cast<int64_t>(i));
      const std::optional<std::string> why = session_.why_not(batch[i]);
      line["written"] = !why;
      if (why) {
        line["reason"] = *why;
      } else {
        line["steps"] = notes.steps.at(next);
        line["loss"] = notes.losses.at(next);
        if (!notes.value_norms.empty()) line["value_norm"] = notes.value_norms.at(next);
        ++next;
      }
      if (i == 0) {
        line["batch"] = {begin, end};
        if (!notes.step_losses.empty()) line["batch_losses"] = notes.step_losses;
        if (!notes.orders.empty()) line["batch_orders"] = notes.orders;
        if (notes.anchor > 0.0) line["anchor_norm"] = notes.anchor;
      }
      lines_->append(line);
    }
  }

  /// A stop in the middle of a batch, which only one rank alone heeds, keeps the edits before it.
  EditNotes write_or_stop(std::span<const EditRequest> batch, int64_t begin) {
    const EditedFile before = session_.edited();
    try {
      return session_.write(batch, team_);
    } catch (const StopRequested&) {
      if (begin == 0) throw StopRequested("stopped on request in the first batch, no edit is kept");
      save(before, begin);
      throw StopRequested(stopped());
    }
  }

  std::string stopped() const {
    return concat("stopped on request, edits kept in ", folder_.string());
  }

  static Json line_of(const EditRequest& request, int64_t edit) {
    return {{"edit", edit},
            {"record", request.record},
            {"language", request.language},
            {"prompt", request.prompt},
            {"subject", request.subject},
            {"target", request.target}};
  }

  /// `next`: requests that `state` has looked at.
  void save(EditedFile state, int64_t next) {
    state.editor = written_with_;
    state.written = next;
    saves_.save([&] { write_edited(folder_ / kStateFile, state); });
  }

  void finish() {
    EditedFile edited = session_.edited();
    edited.editor = written_with_;
    edited.written = std::ssize(requests_);
    edited.state.clear();
    dist::agree_on(context_.comm(), [&] {
      if (!context_.is_root()) return;
      write_edited(folder_ / kEditedFile, edited);
      write_file_atomically(folder_ / kStatisticsFile, statistics(edited).dump(1) + "\n");
      fs::remove(folder_ / kStateFile);
    });
  }

  Json statistics(const EditedFile& edited) {
    // Counted anew: a restart looks at a part of the requests only.
    std::map<std::string, int64_t> skipped = from_files_.skipped;
    int64_t written = 0;
    for (const EditRequest& request : requests_) {
      const std::optional<std::string> why = session_.why_not(request);
      if (why) ++skipped[*why];
      if (!why) ++written;
    }
    for (const auto& [reason, count] : skipped)
      log::info(concat("edit: left out: ", reason, ": ", count));
    Json weights = Json::array();
    for (const auto& [name, tensor] : edited.weights) weights.push_back(name);
    return {{"method", name_of(kEditors, stage_.method)},
            {"editor", session_.settings()},
            {"context_templates", session_.contexts()},
            {"covariance", session_.covariance().string()},
            {"batch", stage_.editor.batch},
            {"requests", requests_.size()},
            {"written", written},
            {"skipped", skipped},
            {"weights", weights}};
  }

  const EditStage& stage_;
  fs::path folder_;
  RunContext& context_;
  const Requests from_files_;
  const std::vector<EditRequest>& requests_ = from_files_.edits;
  EditSession session_;
  const std::string written_with_;
  RankTeam team_;
  std::optional<Progress> progress_;
  std::optional<JsonLinesWriter> lines_;  ///< of rank 0
  SaveClock saves_;
};

}  // namespace

namespace {

/// There are edits to take back: nothing has trained or rounded the weights since.
void check_revert(const SurveyInputs& inputs) {
  bool has_edits = false;
  for (size_t i = 0; i < inputs.stage; ++i) {
    const Stage& above = *inputs.recipe.stages[i];
    if (!above.changes_model()) continue;
    has_edits = above.name() == EditStage::kName && !as<EditStage>(above).revert;
  }
  XKDE_CHECK(
      has_edits, ConfigError,
      "edit.revert: expected a stage edit above, and no training or rounding since, found none");
}

}  // namespace

void run_edit(const EditStage& stage, const fs::path& folder, RunContext& context) {
  if (stage.revert) return restore_edit(stage, folder, context);
  Writer(stage, folder, context).run();
  restore_edit(stage, folder, context);
}

void restore_edit(const EditStage& stage, const fs::path& folder, RunContext& context) {
  if (stage.revert) return context.weights().drop_edits();
  context.weights().use_edits(folder / kEditedFile);
}

dist::AskMemory edit_memory(const EditStage& stage, const SurveyInputs& inputs,
                            const dist::EngineOptions& options) {
  const dist::ModelShape model = dist::shape_of(Decoder(inputs.model.config));
  dist::AskMemory bytes = dist::predict_asking(
      model, options, {}, dist::memory_constants(options.device.type(), options.compute_dtype));
  bytes.weights =
      dist::asked_weight_bytes(model, options, inputs.place.ranks, weights_held(inputs.recipe));
  if (stage.revert) return bytes;
  const std::vector<EditRequest> requests = requests_of(stage.edits, inputs.data.files).edits;
  EditingWork work{.kind = stage.method,
                   .editor = stage.editor,
                   .batches = {},
                   .edits_together = std::ssize(requests)};
  const auto count = std::ssize(requests);
  for (int64_t begin = 0; begin < count; begin += stage.editor.batch) {
    const int64_t end = std::min(count, begin + stage.editor.batch);
    work.batches.emplace_back(requests.begin() + begin, requests.begin() + end);
  }
  const EditingMemory editing = editing_memory(work, inputs, model, options.compute_dtype);
  bytes.edits = editing.edits;
  bytes.editor = editing.editor;
  bytes.editing = editing.writing;
  return bytes;
}

void check_edit(const EditStage& stage, const SurveyInputs& inputs) {
  if (stage.revert) return check_revert(inputs);
  const size_t edits = requests_of(stage.edits, inputs.data.files).edits.size();
  check_editor(stage.method, stage.editor, inputs, edits);
}

}  // namespace xkde::recipe
