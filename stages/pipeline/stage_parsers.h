#ifndef XKDE_STAGES_PIPELINE_STAGE_PARSERS_H_
#define XKDE_STAGES_PIPELINE_STAGE_PARSERS_H_

#include "stages/build_data/keys.h"
#include "stages/capability/keys.h"
#include "stages/covariance/keys.h"
#include "stages/edit/keys.h"
#include "stages/evaluate/keys.h"
#include "stages/export/keys.h"
#include "stages/export/quantize_keys.h"
#include "stages/preference/rank_keys.h"
#include "stages/preference/sample_keys.h"
#include "stages/recipe/stage.h"
#include "stages/train/orpo_keys.h"
#include "stages/train/sft_keys.h"

namespace xkde::recipe {

/// Every stage that a recipe may have, in the order in which messages list them. A stage's row in
/// stages/pipeline/stage_table.cpp stands at the same place, which the compiler checks. This part
/// of the table knows no tensors, so that recipes can be read without them.
inline constexpr StageParser kStageParsers[] = {
    parser_of<BuildDataStage>(),  parser_of<SftStage>(),        parser_of<SampleStage>(),
    parser_of<RankStage>(),       parser_of<OrpoStage>(),       parser_of<EvaluateStage>(),
    parser_of<CapabilityStage>(), parser_of<CovarianceStage>(), parser_of<EditStage>(),
    parser_of<QuantizeStage>(),   parser_of<ExportStage>(),
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PIPELINE_STAGE_PARSERS_H_
