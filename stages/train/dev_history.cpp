#include "stages/train/dev_history.h"

#include <algorithm>
#include <fstream>
#include <string>

#include "core/io/json_file.h"

namespace xkde::recipe {

int64_t DevHistory::stale() const {
  const auto best = std::min_element(losses_.begin(), losses_.end());
  return best == losses_.end() ? 0 : losses_.end() - best - 1;
}

std::vector<double> dev_losses_in(const std::filesystem::path& metrics) {
  std::vector<double> losses;
  std::ifstream file(metrics, std::ios::binary);
  std::string line;
  while (std::getline(file, line)) {
    if (line.find("\"eval_loss\"") == std::string::npos) continue;
    losses.push_back(parse_json(line, metrics.string()).at("eval_loss").get<double>());
  }
  return losses;
}

}  // namespace xkde::recipe
