#include "stages/train/dev_history.h"

#include <algorithm>
#include <fstream>

#include "core/io/json_file.h"

namespace xkde::recipe {

DevHistory DevHistory::read(const std::filesystem::path& metrics) {
  DevHistory history;
  std::ifstream file(metrics, std::ios::binary);
  std::string line;
  while (std::getline(file, line)) {
    if (line.find("\"eval_loss\"") == std::string::npos) continue;
    history.add(parse_json(line, metrics.string()).at("eval_loss").get<double>());
  }
  return history;
}

DevHistory DevHistory::parse(const std::string& text) {
  DevHistory history;
  for (const Json& loss : parse_json(text, "dev losses")) history.add(loss.get<double>());
  return history;
}

std::string DevHistory::dump() const { return Json(losses_).dump(); }

int64_t DevHistory::stale() const {
  const auto best = std::min_element(losses_.begin(), losses_.end());
  return best == losses_.end() ? 0 : losses_.end() - best - 1;
}

}  // namespace xkde::recipe
