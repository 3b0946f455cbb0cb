#include "core/evaluate/demonstrations.h"

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/edit/edit_questions.h"

namespace xkde {
EditDataset demonstration_records(const DemonstrationOptions& options, const LanguagePair& pair,
                                  LoadedData& files) {
  return files.edits({.source = benchmark_of(options.benchmark),
                      .data = options.data,
                      .edit_language = pair.first,
                      .test_language = pair.second,
                      .slice = Slice::parse(options.records),
                      .split = Split::kTrain});
}

Shelf read_shelf(const DemonstrationOptions& options, const Demonstrator& demonstrator,
                 const LanguagePair& pair, LoadedData& files) {
  const EditDataset data = demonstration_records(options, pair, files);
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
