#ifndef XKDE_CORE_EDITING_EDITORS_EDITOR_H_
#define XKDE_CORE_EDITING_EDITORS_EDITOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/editing/editable_model.h"
#include "core/editing/editor_options.h"
#include "core/editing/weight_overlay.h"
#include "core/model/edit_lookup.h"

namespace xkde {

/// The second moments E[kkᵀ], fp64 [F, F], of a module's inputs in a layer. Throws where there are
/// none.
using SecondMoments = std::function<at::Tensor(int64_t layer, const std::string& module)>;

/// What an editor is made of.
struct EditorParts {
  EditorSettings settings;
  std::vector<std::string> contexts;        ///< templates; the bare one is first
  std::vector<std::string> unrelated = {};  ///< prompts that edits leave alone; empty: ours
  SecondMoments moments;                    ///< of editors that need them
  int64_t max_tokens = 1024;                ///< rows of one pass
  uint64_t seed = 0;
  std::vector<EditRequest> pilots = {};  ///< of editors that have anchor_edits; can be written
  /// Those that are written into the model without edits, perhaps in several batches: what
  /// prepare() finds for them is not found again. Can be written.
  std::vector<EditRequest> fresh = {};
};

/// How far an editor is with what it finds before its first edit.
struct Preparation {
  int64_t done = 0;   ///< requests
  int64_t total = 0;  ///< 0: it needs nothing
};

/// How writing went. Lists of editors that have none of it are empty.
struct EditNotes {
  std::vector<int64_t> steps;                ///< of each request
  std::vector<double> losses;                ///< of each request, the last
  std::vector<double> step_losses;           ///< of each step, over all that it read
  std::vector<std::vector<int64_t>> orders;  ///< of requests, in each epoch
  std::vector<double> value_norms = {};      ///< of each request, before it was scaled
  double anchor = 0.0;                       ///< what they were scaled to; 0: they were not
};

/// A method that writes edits into weights, in the course of one stream: what it does may depend on
/// what it wrote before. To add one, write a file beside rome.cpp, declare its function in
/// editors.h and list it in editors.cpp and kEditors.
class Editor {
 public:
  virtual ~Editor() = default;
  /// Finds a part of what it needs of the model without edits; to be called until preparation() is
  /// complete, and once at least. write() finds itself what is missing. Collective within the team.
  /// Throws as write(), and keeps what it had.
  virtual void prepare(Team& /*team*/) {}
  virtual Preparation preparation() const { return {}; }
  /// What prepare() has found for requests: fp64 tensors by name, which it can go on from in
  /// another process. Empty: nothing.
  virtual std::map<std::string, at::Tensor> prepared() const { return {}; }
  /// Goes on from what prepared() gave for the same requests. Throws DataError where it is not
  /// that.
  virtual void restore_prepared(const std::map<std::string, at::Tensor>& /*tensors*/) {}
  /// Writes the requests, which why_unwritable() has passed, as one batch into the model of
  /// `overlay`. Collective within the team; all members' weights are equal before and behind it.
  /// Throws NumericError and, where it works alone, StopRequested; may leave some of it written.
  virtual EditNotes write(std::span<const EditRequest> requests, WeightOverlay& overlay,
                          Team& team) = 0;
  /// What it keeps of a stream beside the weights: tensors by name.
  virtual std::map<std::string, at::Tensor> state() const { return {}; }
  /// Goes on from what state() gave, perhaps in fp64. What prepare() found stays where the state
  /// has none of it.
  virtual void restore(const std::map<std::string, at::Tensor>& /*state*/) {}
  /// What questions look its edits up in, at one place as long as it lives; null: they stand in the
  /// weights.
  virtual const EditLookup* lookup() const { return nullptr; }
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_EDITORS_EDITOR_H_
