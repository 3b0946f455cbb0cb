#include "core/data/benchmarks/fact_line.h"

#include <utility>

#include "core/io/json_file.h"

namespace xkde {
namespace {

Json probes_json(const EditSide& side, bool locality) {
  Json probes = Json::array();
  for (const Probe& probe : side.probes) {
    if (is_locality(probe.kind) != locality) continue;
    const std::string& answer = probe.target.empty() ? probe.first_alias() : probe.target;
    probes.push_back({{"question", probe.question}, {"answer", answer}});
  }
  return probes;
}

}  // namespace

std::string fact_line(const EditRecord& record) {
  Json line = Json::object();
  // A key that no language has is left out.
  const auto put = [&](const char* key, const auto& value_of) {
    for (const auto& [language, side] : record.sides) {
      Json value = value_of(side);
      if (!value.empty()) line[key][language] = std::move(value);
    }
  };
  const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  put("subject", [&](const EditSide& side) { return text(side.subject); });
  put("question", [&](const EditSide& side) { return text(side.src); });
  put("answer", [&](const EditSide& side) { return text(side.alt); });
  put("old_answer", [&](const EditSide& side) {
    return side.old_answers.empty() ? Json() : text(side.old_answers.front());
  });
  put("rephrase", [](const EditSide& side) { return Json(side.rephrases); });
  put("aliases", [](const EditSide& side) { return Json(side.aliases); });
  put("locality", [](const EditSide& side) { return probes_json(side, /*locality=*/true); });
  put("portability", [](const EditSide& side) { return probes_json(side, /*locality=*/false); });
  return line.dump() + "\n";
}

}  // namespace xkde
