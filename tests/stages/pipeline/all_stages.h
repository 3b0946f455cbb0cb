#ifndef XKDE_TESTS_STAGES_PIPELINE_ALL_STAGES_H_
#define XKDE_TESTS_STAGES_PIPELINE_ALL_STAGES_H_

#include <string>

namespace xkde::test {

/// The beginning of a recipe, up to its list of stages.
inline constexpr const char* kHead = "model: {model_name_or_path: m}\noutput_dir: run\nstages:\n";
inline constexpr const char* kEvaluate =
    "  - evaluate: {benchmark: mzsre, data: d, edit_languages: [en], test_languages: [es]}\n";
/// The stages up to the last one that trains, each once, in the order of the table.
inline constexpr const char* kUpToTraining = R"(  - build_data:
      sources: [{benchmark: mzsre, data: d, edit_languages: [en], test_languages: [es]}]
  - sft: {}
  - sample: {}
  - rank: {}
  - orpo: {}
)";
inline constexpr const char* kCapability = "  - capability: {choices: [{data: d}]}\n";
inline constexpr const char* kCovariance = "  - covariance: {texts: [{data: d}], layers: [0]}\n";
inline constexpr const char* kEdit =
    "  - edit: {benchmark: mzsre, data: d, edit_languages: [en], method: ft_m}\n";
inline constexpr const char* kQuantize = "  - quantize: {type: Q4_0}\n";
inline constexpr const char* kExport = "  - export: {path: run/hf}\n";

/// A recipe with each stage once, in the order of the table.
inline std::string all_stages() {
  return std::string(kHead) + kUpToTraining + kEvaluate + kCapability + kCovariance + kEdit +
         kQuantize + kExport;
}
/// The same with an evaluation before all others.
inline std::string all_stages_evaluated_before() {
  return std::string(kHead) + kEvaluate + kUpToTraining + kEvaluate + kCapability + kCovariance +
         kEdit + kQuantize + kExport;
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_STAGES_PIPELINE_ALL_STAGES_H_
