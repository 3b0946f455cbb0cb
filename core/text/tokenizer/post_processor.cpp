#include "core/text/tokenizer/post_processor.h"

#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "core/base/limits.h"

namespace xkde {

PostProcessor::PostProcessor(const JsonPlace& place) { read(place); }

void PostProcessor::read(const JsonPlace& place) {
  if (place.is_null()) return;
  const JsonPlace type = place.at("type");
  const std::string& name = type.string();
  if (name == "ByteLevel") return;
  if (name == "TemplateProcessing") return read_template(place);
  if (name != "Sequence")
    type.fail("a known post-processor (TemplateProcessing, ByteLevel, Sequence)");
  const JsonPlace steps = place.at("processors");
  for (size_t i = 0; i < steps.array().size(); ++i) {
    if (steps.item(i).is_null()) steps.item(i).fail("a post-processor");
    read(steps.item(i));
  }
}

void PostProcessor::read_template(const JsonPlace& place) {
  const JsonPlace single = place.at("single");
  const JsonPlace special = place.at("special_tokens");
  std::vector<int64_t> before;
  std::vector<int64_t> after;
  bool is_behind = false;
  for (size_t i = 0; i < single.array().size(); ++i) {
    const JsonPlace item = single.item(i);
    if (const auto sequence = item.find("Sequence")) {
      if (is_behind || sequence->at("id").string() != "A")
        sequence->fail("sequence A exactly once");
      is_behind = true;
      continue;
    }
    const JsonPlace ids = special.at(item.at("SpecialToken").at("id").string()).at("ids");
    for (size_t k = 0; k < ids.array().size(); ++k) {
      const int64_t id = ids.item(k).integer(0, std::numeric_limits<int32_t>::max() - 1);
      (is_behind ? after : before).push_back(id);
      if (before.size() + after.size() > limits::kMostIdsAround) {
        single.fail(concat("at most ", limits::kMostIdsAround, " ids around a text"));
      }
    }
  }
  if (!is_behind) single.fail("sequence A exactly once");
  // A later step of a Sequence wraps what an earlier one made.
  before_.insert(before_.begin(), before.begin(), before.end());
  after_.insert(after_.end(), after.begin(), after.end());
}

int64_t PostProcessor::largest_id() const {
  int64_t largest = -1;
  for (const int64_t id : before_) largest = std::max(largest, id);
  for (const int64_t id : after_) largest = std::max(largest, id);
  return largest;
}

std::vector<int64_t> PostProcessor::apply(std::vector<int64_t> ids) const {
  ids.insert(ids.begin(), before_.begin(), before_.end());
  ids.insert(ids.end(), after_.begin(), after_.end());
  return ids;
}

}  // namespace xkde
