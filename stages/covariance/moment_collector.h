#ifndef XKDE_STAGES_COVARIANCE_MOMENT_COLLECTOR_H_
#define XKDE_STAGES_COVARIANCE_MOMENT_COLLECTOR_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/stopwatch.h"
#include "core/editing/moments/covariance_file.h"
#include "core/editing/moments/second_moment.h"
#include "core/io/json_file.h"
#include "stages/covariance/keys.h"
#include "stages/covariance/text_windows.h"
#include "stages/edit/edit_session.h"
#include "stages/run/run_context.h"

namespace xkde::recipe {

/// How far the means had moved when they were noted.
struct MomentNotes {
  int64_t tokens = 0;            ///< at the last note
  Json changes = Json::array();  ///< {"tokens", "since", "change": {place: of the mean's norm}}
};

/// Adds up what the windows of a stage are multiplied with, on all ranks. Each takes packs in turn
/// and adds for itself. Sums over ranks are made when tokens have doubled, and when they are saved.
class MomentCollector {
 public:
  /// All references outlive it. Goes on from what an earlier run saved in `folder`. Collective, as
  /// all members.
  MomentCollector(const CovarianceStage& stage, const TextWindows& windows,
                  const std::filesystem::path& folder, RunContext& context);

  /// Throws StopRequested, and NumericError where an input is not finite.
  void run();
  /// The means, on rank 0 (empty elsewhere): of all texts, and of each language where the stage
  /// asks for it. To be called last.
  SecondMomentsByPlace take_means();
  const MomentNotes& notes() const noexcept { return notes_; }  ///< of rank 0
  /// Removes what was saved.
  void forget();

 private:
  /// What rank 0 has of one language at one input.
  struct Sum {
    at::Tensor upper;  ///< as SecondMomentSums::upper()
    int64_t tokens = 0;
  };
  using Languages = std::map<std::string, SecondMomentSums>;

  void add(size_t begin, size_t end);
  size_t next_note() const;
  void note();
  double change(const at::Tensor& before, const at::Tensor& since) const;
  void bring_to_root();
  bool is_save_due(bool is_noted) const;
  void save();
  void load();
  void at_root(const std::function<void()>& work);

  const CovarianceStage& stage_;
  const TextWindows& windows_;
  std::filesystem::path file_;
  RunContext& context_;
  EditableModel model_;
  RankTeam team_;
  std::vector<ObservedInput> inputs_;
  std::vector<WindowPack> packs_;
  Languages since_;                                            ///< the last note, of this rank
  std::map<std::string, std::map<ObservedInput, Sum>> noted_;  ///< of rank 0, by language
  size_t next_ = 0;                                            ///< pack
  int64_t tokens_ = 0;                                         ///< of the packs before it
  MomentNotes notes_;
  Stopwatch since_save_;
  double save_seconds_ = 0.0;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_COVARIANCE_MOMENT_COLLECTOR_H_
