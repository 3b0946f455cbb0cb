#include "core/data/benchmarks/knowedit.h"

namespace xkde {

namespace {

constexpr KnowEditLayout kLayout{.folder = "wiki_recent",
                                 .train = {"recent_train.json"},
                                 .test = {"recent_test.json", "eval_from_recent_train.json"}};

}  // namespace

/// KnowEdit's wiki_recent.
extern const BenchmarkSource kRecent;
constinit const BenchmarkSource kRecent = knowedit_source<kLayout>("recent");

}  // namespace xkde
