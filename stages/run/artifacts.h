#ifndef XKDE_STAGES_RUN_ARTIFACTS_H_
#define XKDE_STAGES_RUN_ARTIFACTS_H_

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace xkde::recipe {

/// The kinds of files that stages leave for what comes after them.
enum class ArtifactKind {
  kTrainData,   ///< XE-IT samples (protocol 1.5) of a build_data stage
  kSamples,     ///< samples.jsonl of a sample stage
  kPairs,       ///< pairs.jsonl of a rank stage
  kCovariance,  ///< second moments of a covariance stage
  kResults,     ///< results.json of an evaluate or capability stage
};

/// The file that every stage of a kind leaves in its folder.
struct LeftFile {
  ArtifactKind kind;
  std::string_view name;  ///< in the stage's folder
};

/// What the finished stages of a run left, whether they ran now or at an earlier start.
class Artifacts {
 public:
  /// Stage `stage` of the recipe left `file`. Stages are recorded in their order.
  void add(ArtifactKind kind, size_t stage, std::filesystem::path file);
  /// A stage gave the model other weights.
  void set_weights_changed() { weights_changed_ = true; }

  /// The file of the last stage that left one of this kind. Throws InternalError where none did.
  const std::filesystem::path& file(ArtifactKind kind) const;
  /// Every file of the kind, in the order of the stages.
  std::vector<std::filesystem::path> files(ArtifactKind kind) const;
  /// What stage `stage` left; nothing where it is not finished or leaves no file.
  std::optional<std::filesystem::path> left_by(size_t stage) const;
  /// Whether a training stage has finished: the weights are no longer those of the model's files.
  bool weights_changed() const noexcept { return weights_changed_; }

 private:
  struct Entry {
    ArtifactKind kind;
    size_t stage;
    std::filesystem::path file;
  };
  std::vector<Entry> entries_;
  bool weights_changed_ = false;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_ARTIFACTS_H_
