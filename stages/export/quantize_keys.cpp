#include "stages/export/quantize_keys.h"

namespace xkde::recipe {

void QuantizeStage::each_key(StrictMap map) {
  map.required("type", type, kGgufTypes);
  map.done();
}

}  // namespace xkde::recipe
