#include "stages/evaluate/events.h"

#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/io/events/event_file.h"

namespace xkde::recipe {
namespace {

/// A text in a cell of a Markdown table.
std::string in_cell(const std::string& text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c == '\n' || c == '\r' ? ' ' : c;
  }
  return cell;
}

std::string table_of(std::span<const Json> predictions) {
  std::string table = "| question | target | context | answer |\n| --- | --- | --- | --- |\n";
  for (const Json& line : predictions) {
    if (!line.contains("free")) continue;
    for (const auto& [context, told] : line["free"].items()) {
      if (!told.contains("answer")) continue;
      table += concat("| ", in_cell(line.value("question", "")), " | ",
                      in_cell(line.value("target", "")), " | ", context, " | ",
                      in_cell(told["answer"].get<std::string>()), " |\n");
    }
  }
  return table;
}

}  // namespace

void write_eval_events(std::span<const ResultRow> rows, std::span<const Json> predictions,
                       const std::filesystem::path& folder) {
  std::map<int64_t, std::vector<EventScalar>> by_size;
  for (const ResultRow& row : rows) {
    if (!row.value || row.scope.seed) continue;
    by_size[row.scope.size].push_back(
        {concat(row.metric, "/", row.edit_language, "-", row.test_language), *row.value});
  }
  EventFile events(folder, 0);
  for (const auto& [size, scalars] : by_size) events.add_scalars(size, scalars);
  bool has_answers = false;
  for (const Json& line : predictions) has_answers |= line.contains("free");
  if (has_answers) events.add_text(0, "answers", table_of(predictions));
}

}  // namespace xkde::recipe
