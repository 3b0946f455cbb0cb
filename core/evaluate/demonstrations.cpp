#include "core/evaluate/demonstrations.h"

#include "core/base/error.h"
#include "core/data/benchmarks/edit_dataset.h"
#include "core/edit/edit_questions.h"

namespace xkde {
namespace {

EditDataset load(const DemonstrationOptions& options, const LanguagePair& pair) {
  return load_edits(benchmark_from_name(options.benchmark), options.data, pair.first, pair.second,
                    Slice::parse(options.records));
}

}  // namespace

Shelf read_shelf(const DemonstrationOptions& options, const Demonstrator& demonstrator,
                 const LanguagePair& pair) {
  const EditDataset data = load(options, pair);
  XKDE_CHECK(!data.records.empty(), DataError, options.data.string(),
             ": expected demonstrations, found none in the slice \"", options.records, "\"");
  const Language& edit = language_of(pair.first);
  const Language& test = language_of(pair.second);
  Shelf shelf;
  for (const EditRecord& record : data.records)
    demonstrator.add({side_of(record, edit), side_of(record, test), &edit != &test}, shelf);
  return shelf;
}

}  // namespace xkde
