#ifndef XKDE_STAGES_PIPELINE_COVERED_KEYS_H_
#define XKDE_STAGES_PIPELINE_COVERED_KEYS_H_

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/io/json_file.h"
#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// The SHA-256 of a file's content.
using DigestOf = std::function<std::string(const std::filesystem::path& file)>;

/// What changes the result of a stage, beside the stages before it: an object of dotted keys. It
/// has the stage's keys with their values, those of the model section, the seed and, of a stage
/// that trains, the dtype in which gradients travel. A key that names inputs has the SHA-256 of
/// each file in place of its path; a path that the stage writes is normalised. Left out are
/// Stage::free_keys(), and how the work is spread and shown (parallel, logging_steps): it may round
/// sums otherwise, and runs must go on however many ranks there are. `model_files` are those that
/// were read of the recipe's model.
Json covered_keys(const Recipe& recipe, size_t stage,
                  std::span<const std::filesystem::path> model_files, const DigestOf& digest_of);

/// The key, behind the stage's name, of the digest of the questions that a stage leaves out because
/// others ask them (StageRunner::left_out). A folder of a version that did not cover it counts as
/// unchanged.
inline constexpr const char* kLeftOut = "left_out_questions";
/// All that the questions which stages of the recipe ask follow from: keys, and the contents of
/// files. Does not read data.
Json asked_questions(const Recipe& recipe, const DigestOf& digest_of);

/// The stages above on whose results a stage builds, by the key that names them in what it covers:
/// "builds_on.weights" is the nearest one that trains, "builds_on.NAME" the source of its input.
std::map<std::string, size_t> built_on(const Recipe& recipe, size_t stage);

/// A covered key whose value is another one than before.
struct KeyChange {
  std::string key;
  Json before;  ///< discarded where there was no such key
  Json now;     ///< discarded where there is none any more
};
/// Compares what a stage covered when its folder was begun with what it covers now. A key that was
/// not there counts as unchanged where it has its default now: the program has learnt it since.
std::vector<KeyChange> changed_keys(const Json& before, const Json& now, const Stage& stage);
/// "sft.learning_rate 1e-05 : 2e-05"; digests are cut.
std::string text_of(const KeyChange& change);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PIPELINE_COVERED_KEYS_H_
