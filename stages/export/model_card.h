#ifndef XKDE_STAGES_EXPORT_MODEL_CARD_H_
#define XKDE_STAGES_EXPORT_MODEL_CARD_H_

#include <string>
#include <string_view>

#include "stages/export/base_model.h"
#include "stages/report/run_results.h"

namespace xkde::recipe {

/// The file that describes an exported folder, to people and to the Hugging Face hub.
inline constexpr const char* kModelCard = "README.md";

/// What stands beside the card.
enum class CardSubject { kFolder, kGguf, kAdapter };

/// A card in the hub's format: a YAML head (licence and hub id of the base model where its files
/// tell them, languages, tags), then what the run's stages above `stage`, a folder's name of
/// run.json, did with how much data, what its evaluations found, how to load the folder, and the
/// recipe. It tells nothing of the clock or the machine, so that equal runs have equal cards.
/// `stored_as`: dtype or GGUF type of the weights. Reads statistics.json of the stages. Throws
/// InternalError where run.json has no such stage.
std::string model_card(const report::RunResults& run, const std::string& stage,
                       const BaseModel& base, CardSubject subject, std::string_view stored_as);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EXPORT_MODEL_CARD_H_
