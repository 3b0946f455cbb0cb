#include "core/data/benchmarks/knowedit.h"

namespace xkde {

namespace {

constexpr KnowEditLayout kLayout{.folder = "wiki_counterfact",
                                 .train = {"train_cf.json"},
                                 .test = {"test_cf.json", "eval_from_train_cf.json"}};

}  // namespace

/// KnowEdit's wiki_counterfact.
extern const BenchmarkSource kCounterfact;
constinit const BenchmarkSource kCounterfact = knowedit_source<kLayout>("counterfact");

}  // namespace xkde
