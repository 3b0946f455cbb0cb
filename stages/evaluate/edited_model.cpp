#include "stages/evaluate/edited_model.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/stopwatch.h"
#include "core/data/language.h"
#include "core/io/file_reader.h"
#include "distributed/comm/agreement.h"
#include "stages/run/stop_request.h"

namespace xkde::recipe {

namespace {

EditRequest request_of(const EvalInputs& inputs, size_t stream, int64_t edit) {
  const EvalStream& edits = inputs.streams[stream];
  const auto at = static_cast<size_t>(edit);
  const EvalEdit& one = edits.edits[at];
  const std::string& code = inputs.pairs[edits.pairs[at]].first;
  return {one.record, language_of(code).iso, one.question, one.subject, one.target};
}

std::vector<EditRequest> requests_of(const EvalInputs& inputs, size_t stream) {
  std::vector<EditRequest> all;
  for (int64_t edit = 0; edit < std::ssize(inputs.streams[stream].edits); ++edit)
    all.push_back(request_of(inputs, stream, edit));
  return all;
}

/// Those of all streams; of streams with the same edits, which are written once, those of the
/// first.
std::vector<EditRequest> all_requests(const EvalInputs& inputs,
                                      std::span<const EditedWeights> edited) {
  std::set<size_t> streams;
  for (const EditedWeights& one : edited) streams.insert(one.stream);
  std::vector<EditRequest> all;
  for (const size_t stream : streams) {
    for (EditRequest& request : requests_of(inputs, stream)) all.push_back(std::move(request));
  }
  return all;
}

/// Those that are written into the model as trained: of a stream only its first batch is, of a
/// batch that is written one by one only the first request.
std::vector<EditRequest> fresh_requests(const EvaluateStage& stage, const EvalInputs& inputs,
                                        std::span<const EditedWeights> edited) {
  if (stage.mode == EditMode::kSequential) return {};
  if (!entry_of(kEditors, *stage.method->editor()).one_by_one) return all_requests(inputs, edited);
  std::vector<EditRequest> first;
  for (const EditedWeights& one : edited)
    first.push_back(request_of(inputs, one.stream, one.begin));
  return first;
}

}  // namespace

EditedModel::EditedModel(const EvaluateStage& stage, const EvalInputs& inputs,
                         std::span<const EditedWeights> edited, RunContext& context)
    : stage_(stage),
      inputs_(inputs),
      requests_(all_requests(inputs, edited)),
      session_(*stage.method->editor(), stage.editor, context, requests_of(inputs, 0),
               fresh_requests(stage, inputs, edited)),
      context_(context) {}

void EditedModel::prepare(const std::filesystem::path& folder) {
  const Stopwatch watch;
  session_.prepare(folder / kPreparedFile);
  seconds_ += watch.seconds();
}

void EditedModel::write(const EditedWeights& edits, int64_t begin, int64_t end, Team& team) {
  std::vector<EditRequest> requests;
  for (int64_t edit = begin; edit < end; ++edit)
    requests.push_back(request_of(inputs_, edits.stream, edit));
  session_.write(requests, team);
}

void EditedModel::keep_streams(const std::filesystem::path& folder) {
  if (stage_.mode == EditMode::kSequential) kept_ = folder / kStreamFile;
}

int64_t EditedModel::begin(const EditedWeights& edits, int64_t step) {
  session_.begin_stream();
  if (kept_.empty()) return edits.begin;
  const std::vector<int64_t> written = dist::agree(context_.comm(), [&] {
    if (!is_there(kept_, FileOrigin::kOwn)) return edits.begin;
    const EditedFile file = read_edited(kept_);
    const bool is_of_stream =
        file.editor == session_.written_with(requests_of(inputs_, edits.stream));
    if (!is_of_stream || file.written > edits.end || file.written % step != 0) return edits.begin;
    session_.restore(file);
    return file.written;
  });
  check_same_on_all_ranks(kept_, written);
  return written.front();
}

void EditedModel::save(const EditedWeights& edits, EditedFile file, int64_t written) {
  if (!context_.is_root()) return;
  file.editor = session_.written_with(requests_of(inputs_, edits.stream));
  file.written = written;
  saves_.save([&] { write_edited(kept_, file); });
}

void EditedModel::write_and_keep(const EditedWeights& edits, int64_t begin, int64_t end,
                                 Team& team) {
  const bool is_whole = end % stage_.editor.batch == 0;  // one that a longer stream has, too
  // What a stop keeps that comes in the middle of a batch, or behind one that is not whole.
  EditedFile before;
  if (team.size() == 1 || (!is_whole && context_.is_root())) before = session_.edited();
  const auto stop = [&](bool is_written) {
    if (!is_written && begin > 0) save(edits, std::move(before), begin);
    throw StopRequested(is_written || begin > 0
                            ? concat("stopped on request, edits kept in ", kept_.string())
                            : "stopped on request in the first batch, no edit is kept");
  };
  try {
    write(edits, begin, end, team);
  } catch (const StopRequested&) {  // alone, in the middle of a batch
    stop(/*is_written=*/false);
  }
  const bool stops = stop_requested_anywhere(context_.comm());
  if (is_whole && (stops || saves_.is_due())) save(edits, session_.edited(), end);
  if (stops) stop(is_whole);
}

void EditedModel::install(const EditedWeights& edits, Team& team) {
  if (there_ && *there_ == edits) return;
  const Stopwatch watch;
  const bool is_stream = stage_.mode == EditMode::kSequential;
  const int64_t step = is_stream ? stage_.editor.batch : edits.end - edits.begin;
  // Only where batches end as they would from the beginning: a size's results do not depend on the
  // other sizes that are asked.
  const bool goes_on = there_ && there_->stream == edits.stream && is_stream &&
                       there_->end <= edits.end && there_->end % step == 0;
  int64_t next = goes_on ? there_->end : begin(edits, step);
  there_.reset();  // unknown, where writing fails
  while (next < edits.end) {
    const int64_t end = std::min(edits.end, next + step);
    if (kept_.empty()) {
      write(edits, next, end, team);
    } else {
      write_and_keep(edits, next, end, team);
    }
    next = end;
  }
  there_ = edits;
  state_bytes_ = std::max(state_bytes_, session_.state_bytes());
  seconds_ += watch.seconds();
}

void EditedModel::take_back() {
  session_.begin_stream();
  there_.reset();
}

Json EditedModel::statistics() const {
  std::map<std::string, int64_t> skipped;
  int64_t written = 0;
  for (const EditRequest& request : requests_) {
    const std::optional<std::string> why = session_.why_not(request);
    if (why) ++skipped[*why];
    if (!why) ++written;
  }
  return {{"settings", session_.settings()},
          {"context_templates", session_.contexts()},
          {"covariance", session_.covariance().string()},
          {"writable", written},
          {"not_writable", skipped}};
}

}  // namespace xkde::recipe
