#include "stages/edit/edit_session.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/stopwatch.h"
#include "core/editing/context_templates.h"
#include "core/editing/editors/editors.h"
#include "core/editing/moments/covariance_file.h"
#include "core/editing/request_tokens.h"
#include "core/io/digest_cache.h"
#include "core/io/file_reader.h"
#include "core/io/sha256.h"
#include "distributed/comm/agreement.h"
#include "stages/edit/save_clock.h"
#include "stages/run/progress.h"
#include "stages/run/run_folder.h"
#include "stages/run/stop_request.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

void check_has_moments(const EditorEntry& entry, bool has_moments) {
  XKDE_CHECK(has_moments, ConfigError, "editor.covariance: expected a file of second moments for ",
             entry.name, ", or a stage covariance before this one, found neither");
}

/// The file that the recipe names, or that of the stage before.
fs::path covariance_of(EditorKind kind, const EditorOptions& options, const RunContext& context) {
  const EditorEntry& entry = entry_of(kEditors, kind);
  if (!entry.needs_moments) return {};
  if (!options.covariance.empty()) return options.covariance;
  const std::vector<fs::path> files = context.artifacts().files(ArtifactKind::kCovariance);
  check_has_moments(entry, !files.empty());
  return files.back();
}

/// Identifies a model by the contents of its files.
std::string digest_of(std::span<const fs::path> model_files, DigestCache& digests) {
  std::string all;
  for (const fs::path& file : model_files) all += digests.digest_of(file) + " ";
  return sha256_hex(all);
}

/// `model`: the digest of the one that is edited.
void check_source(const CovarianceFile& file, const fs::path& path, const std::string& model) {
  XKDE_CHECK(file.source().model == model, DataError, path.string(),
             ": expected second moments of the model ", model.substr(0, 12), ", found those of ",
             file.source().model.substr(0, 12));
}

/// The stage that will leave second moments; null: there is none. Stages below this folder know it
/// by name.
const Stage* covariance_stage_above(const SurveyInputs& inputs) {
  const Stage* found = nullptr;
  for (size_t i = 0; i < inputs.stage; ++i) {
    if (inputs.recipe.stages[i]->name() == "covariance") found = inputs.recipe.stages[i].get();
  }
  return found;
}

void check_moments(const EditorEntry& entry, const EditorOptions& options,
                   const EditorSettings& settings, const SurveyInputs& inputs) {
  if (!entry.needs_moments) return;
  if (!options.covariance.empty()) {
    const CovarianceFile file = CovarianceFile::open(options.covariance);
    std::vector<std::string> places;
    for (const int64_t layer : settings.layers())
      places.push_back(moment_place(layer, settings.modules.front().module));
    file.check_has(places, inputs.model.config.intermediate_size);
    DigestCache digests(inputs.recipe.output_dir / kDigestsFile);
    int64_t bytes = 0;
    for (const fs::path& model : inputs.model.files) bytes += digests.bytes_to_read(model);
    // Of a larger model the start finds it out, which reads all of it.
    if (bytes <= kQuickBytes)
      check_source(file, options.covariance, digest_of(inputs.model.files, digests));
    return;
  }
  const Stage* above = covariance_stage_above(inputs);
  check_has_moments(entry, above != nullptr);
  const Json keys = above->keys();
  if (!keys.contains("layers")) return;  // it imports them
  const auto there = keys["layers"].get<std::vector<int64_t>>();
  for (const int64_t layer : settings.layers()) {
    XKDE_CHECK(std::ranges::count(there, layer) > 0, ConfigError,
               "editor.layers: expected layers of the stage covariance above (",
               fmt::format("{}", fmt::join(there, ", ")), "), found ", layer);
  }
}

/// The token that ends a text, by the tokenizer or, where that says nothing, by the model's config.
std::optional<int64_t> end_of_text(RunContext& context) {
  const std::vector<int64_t>& ends = context.decoder().config().eos_token_id;
  const std::optional<int64_t> named = context.tokenizer().eos_id();
  if (named || ends.empty()) return named;
  return ends.front();
}

/// The templates that a recipe names, the bare prompt first.
std::vector<std::string> named_contexts(const EditorOptions& options) {
  std::vector<std::string> contexts = options.context_templates;
  if (contexts.empty()) return contexts;
  std::erase(contexts, kPromptPlace);
  contexts.insert(contexts.begin(), std::string(kPromptPlace));
  return contexts;
}

}  // namespace

EditableModel editable_model(RunContext& context, const std::string& chat_key) {
  dist::RunModel& model = context.model();
  model.make_resident();
  const ChatTemplate& chat = context.chat_template(chat_key);
  const bool is_plain = chat.format() == ChatTemplate::Format::kPlain;
  return {.decoder = context.decoder(),
          .tokenizer = context.tokenizer(),
          .chat_template = is_plain ? nullptr : &chat,
          .weights = [&model](size_t unit) { return model.resident_parameters(unit); },
          .dtype = context.compute_dtype(),
          .device = context.device(),
          .end_id = end_of_text(context)};
}

std::string model_digest(const RunContext& context) {
  const Recipe& recipe = context.recipe();
  DigestCache digests(recipe.output_dir / kDigestsFile, {.trust_kept = !recipe.verify_inputs});
  return digest_of(context.pretrained().files, digests);
}

void check_editor(EditorKind kind, const EditorOptions& options, const SurveyInputs& inputs,
                  size_t edits) {
  const ModelConfig& config = inputs.model.config;
  const EditorSettings settings = editor_settings(kind, options, config);
  check_settings(kind, settings, Decoder(config));
  XKDE_CHECK(settings.anchor_edits <= static_cast<int64_t>(edits), ConfigError,
             "editor.anchor_edits: expected at most ", edits,
             ", as many edits as there are, found ", settings.anchor_edits);
  check_moments(entry_of(kEditors, kind), options, settings, inputs);
}

void RankTeam::add_up(at::Tensor& tensor) {
  if (comm_.size() == 1) return;
  at::Tensor sum = tensor.to(device_).contiguous();
  comm_.all_reduce(sum, dist::ReduceOp::kSum)->wait();
  tensor.copy_(sum);
}

EditSession::EditSession(EditorKind kind, const EditorOptions& options, RunContext& context,
                         std::span<const EditRequest> stream, std::span<const EditRequest> fresh)
    : kind_(kind),
      context_(context),
      model_(editable_model(context, options.chat_template)),
      settings_(editor_settings(kind, options, context.decoder().config())),
      covariance_(covariance_of(kind, options, context)),
      contexts_(named_contexts(options)),
      unrelated_(options.unrelated),
      max_tokens_(options.max_tokens_per_batch),
      overlay_(model_) {
  dist::agree_on(context.comm(), [&] {
    if (entry_of(kEditors, kind).uses_contexts && contexts_.empty())
      contexts_ =
          make_context_templates(kind, model_, static_cast<uint64_t>(context.recipe().seed));
    EditorParts all = parts();
    all.pilots = pilots(stream);
    for (const EditRequest& request : fresh) {
      if (!why_not(request)) all.fresh.push_back(request);
    }
    prepared_with_ = written_with(all.fresh);
    editor_ = make_editor(kind, model_, std::move(all));
  });
  first_state_ = editor_->state();
}

EditorParts EditSession::parts() const {
  EditorParts all{.settings = settings_,
                  .contexts = contexts_,
                  .unrelated = unrelated_,
                  .moments = {},
                  .max_tokens = max_tokens_,
                  .seed = static_cast<uint64_t>(context_.recipe().seed)};
  if (!covariance_.empty()) {
    const CovarianceFile file = CovarianceFile::open(covariance_);
    check_source(file, covariance_, model_digest(context_));
    all.moments = [file, this](int64_t layer, const std::string& module) {
      const int64_t width = model_.decoder.config().intermediate_size;
      return file.read(moment_place(layer, module), width).mean.to(model_.device);
    };
  }
  return all;
}

std::vector<EditRequest> EditSession::pilots(std::span<const EditRequest> stream) const {
  const int64_t count = settings_.anchor_edits;
  std::vector<EditRequest> found;
  for (const EditRequest& request : stream) {
    if (std::ssize(found) == count) break;
    if (!why_not(request)) found.push_back(request);
  }
  XKDE_CHECK(std::ssize(found) == count, ConfigError, "editor.anchor_edits: expected at most ",
             found.size(), ", as many edits as can be written, found ", count);
  return found;
}

std::string EditSession::written_with(std::span<const EditRequest> requests) const {
  std::string said;
  for (const EditRequest& request : requests) {
    said += Json{request.record, request.language, request.prompt, request.subject, request.target}
                .dump();
  }
  return Json{{"method", name_of(kEditors, kind_)},
              {"settings", settings()},
              {"contexts", contexts_},
              {"max_tokens", max_tokens_},
              {"requests", sha256_hex(said)}}
      .dump();
}

void EditSession::restore_prepared(const fs::path& kept) {
  const std::vector<int64_t> done = dist::agree(context_.comm(), [&] {
    if (is_there(kept, FileOrigin::kOwn)) {
      const EditedFile file = read_edited(kept);
      if (file.editor == prepared_with_) editor_->restore_prepared(file.state);
    }
    return editor_->preparation().done;
  });
  check_same_on_all_ranks(kept, done);
}

void EditSession::prepare(const fs::path& kept) {
  RankTeam team(context_.comm(), context_.device());
  restore_prepared(kept);
  const int64_t before = editor_->preparation().done, total = editor_->preparation().total;
  Progress progress("value vectors", total, before, std::max<int64_t>(1, total / 5),
                    context_.is_root());
  const Stopwatch watch;
  SaveClock saves;
  int64_t done = before;
  bool stops = false;
  do {
    try {
      editor_->prepare(team);
      stops = stop_requested_anywhere(context_.comm());
    } catch (const StopRequested&) {  // alone, in the middle of a part
      stops = true;
    }
    done = editor_->preparation().done;
    const bool is_last = stops || done == total;
    if (done == before) continue;
    progress.update(
        done, fmt::format("{:.2f} edits/s", static_cast<double>(done - before) / watch.seconds()));
    if (context_.is_root() && (is_last || saves.is_due())) saves.save([&] { save_prepared(kept); });
  } while (!stops && done < total);
  if (stops) {
    throw StopRequested(done > 0
                            ? concat("stopped on request, value vectors kept in ", kept.string())
                            : "stopped on request, before the first edit");
  }
}

void check_same_on_all_ranks(const fs::path& file, std::span<const int64_t> found) {
  for (const int64_t one : found) {
    XKDE_CHECK(one == found.front(), CheckpointError, file.string(),
               ": expected the same edits on all ranks, found ", found.front(), " and ", one,
               " (do all hosts see the folder?)");
  }
}

void EditSession::save_prepared(const fs::path& kept) const {
  EditedFile file;
  file.state = editor_->prepared();
  file.editor = prepared_with_;
  write_edited(kept, file);
}

void EditSession::begin_stream() {
  overlay_.revert();
  editor_->restore(first_state_);
}

std::optional<std::string> EditSession::why_not(const EditRequest& request) const {
  return why_unwritable(model_, request, entry_of(kEditors, kind_).needs_subject);
}

EditNotes EditSession::write(std::span<const EditRequest> requests, Team& team) {
  std::vector<EditRequest> good;
  for (const EditRequest& request : requests) {
    if (!why_not(request)) good.push_back(request);
  }
  return good.empty() ? EditNotes{} : editor_->write(good, overlay_, team);
}

EditedFile EditSession::edited() const {
  EditedFile all;
  for (const auto& [matrix, value] : overlay_.changed()) all.weights[matrix.name] = value;
  all.state = editor_->state();
  return all;
}

int64_t EditSession::state_bytes() const {
  int64_t bytes = 0;
  for (const auto& [matrix, value] : overlay_.changed())
    bytes += static_cast<int64_t>(value.nbytes());
  for (const auto& [name, tensor] : editor_->state())
    bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

void EditSession::restore(const EditedFile& edited) {
  overlay_.revert();
  for (const auto& [name, value] : edited.weights)
    overlay_.set(matrix_named(model_.decoder, name), value.to(model_.device));
  std::map<std::string, at::Tensor> state;
  for (const auto& [name, tensor] : edited.state) state[name] = tensor.to(model_.device);
  editor_->restore(state);
}

}  // namespace xkde::recipe
