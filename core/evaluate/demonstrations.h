#ifndef XKDE_CORE_EVALUATE_DEMONSTRATIONS_H_
#define XKDE_CORE_EVALUATE_DEMONSTRATIONS_H_

#include "core/evaluate/eval_options.h"

namespace xkde {

/// The records of one language pair that examples are made of. Throws as LoadedData::edits.
EditDataset demonstration_records(const DemonstrationOptions& options, const LanguagePair& pair,
                                  LoadedData& files);

/// The examples of one language pair, as `demonstrator` writes them. Throws MissingInputError or
/// DataError, also where there is none.
Shelf read_shelf(const DemonstrationOptions& options, const Demonstrator& demonstrator,
                 const LanguagePair& pair, LoadedData& files);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_DEMONSTRATIONS_H_
