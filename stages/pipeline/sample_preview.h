#ifndef XKDE_STAGES_PIPELINE_SAMPLE_PREVIEW_H_
#define XKDE_STAGES_PIPELINE_SAMPLE_PREVIEW_H_

#include <cstdint>
#include <span>
#include <string>

#include "core/text/tokenizer/tokenizer.h"
#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// The texts of the tokens with "·" between them, and ⟦ ⟧ around those that are trained: one line.
/// What has no text of its own, such as a part of a letter, is spelled as in the vocabulary.
std::string marked_tokens(const Tokenizer& tokenizer, std::span<const int64_t> ids,
                          std::span<const uint8_t> trained);

/// The first `count` samples of the recipe's first stage of training, made as the stage makes them,
/// in the order of their file: which tokens are trained, and where a sample was cut. Of pairs it
/// shows both answers; those that a stage `rank` has yet to write cannot be shown, and the text
/// says so. Throws ConfigError where no stage trains, and what the stage would throw.
std::string preview_samples(const Recipe& recipe, int64_t count);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PIPELINE_SAMPLE_PREVIEW_H_
