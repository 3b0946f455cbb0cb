#include "stages/train/dev_history.h"

#include <algorithm>
#include <string>

#include "core/io/file_reader.h"
#include "core/io/json_file.h"

namespace xkde::recipe {

int64_t DevHistory::stale() const {
  const auto best = std::min_element(losses_.begin(), losses_.end());
  return best == losses_.end() ? 0 : losses_.end() - best - 1;
}

std::vector<double> dev_losses_in(const std::filesystem::path& metrics) {
  std::vector<double> losses;
  auto lines = LineReader::open_if_there(metrics, FileOrigin::kOwn);
  for (std::string line; lines && lines->next(line);) {
    if (line.find("\"eval_loss\"") == std::string::npos) continue;
    losses.push_back(parse_json(line, metrics.string()).at("eval_loss").get<double>());
  }
  return losses;
}

}  // namespace xkde::recipe
