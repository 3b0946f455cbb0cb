#include "core/data/benchmarks/knowedit.h"

namespace xkde {

namespace {

constexpr KnowEditLayout kLayout{.folder = "ZsRE", .test = {"ZsRE-test-all.json"}};

}  // namespace

/// KnowEdit's ZsRE. Its train file has the layout of bizsre_train.
extern const BenchmarkSource kZsre;
constinit const BenchmarkSource kZsre = knowedit_source<kLayout>("zsre");

}  // namespace xkde
