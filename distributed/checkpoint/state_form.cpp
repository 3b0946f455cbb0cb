#include "distributed/checkpoint/state_form.h"

#include <algorithm>

namespace xkde::dist {
namespace {

constexpr int64_t kBlock = 256;  // as core/optim/dynamic_code.h

}  // namespace

StateForm state_form(const std::string& name) {
  if (name.ends_with(".codes")) return {.is_bytes = true, .block = 1};
  if (name.ends_with(".scales")) return {.is_bytes = false, .block = kBlock};
  return {};
}

StateBytes bytes_of_states(const std::vector<std::string>& names) {
  StateBytes all;
  for (const std::string& name : names) all.block = std::max(all.block, state_form(name).block);
  for (const std::string& name : names) {
    const StateForm form = state_form(name);
    all.bytes += form.value_bytes() * (all.block / form.block);
  }
  return all;
}

ShardLayout layout_of_state(const ShardLayout& layout, const StateForm& form) {
  return form.block == 1 ? layout : blocks_of(layout, form.block);
}

}  // namespace xkde::dist
