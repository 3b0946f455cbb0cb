#include "core/data/benchmarks/knowedit.h"

namespace xkde {

namespace {

constexpr KnowEditLayout kLayout{.folder = "WikiBio",
                                 .train = {"wikibio-train-all.json"},
                                 .test = {"wikibio-test-all.json"},
                                 .subject = "concept",
                                 .prompt = "text",
                                 .target = "labels"};

}  // namespace

/// KnowEdit's WikiBio: a passage, its next sentence and whom it is about.
extern const BenchmarkSource kWikibio;
constinit const BenchmarkSource kWikibio = knowedit_source<kLayout>("wikibio");

}  // namespace xkde
