#include "stages/report/html_report.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/io/file_reader.h"
#include "core/text/plural.h"
#include "stages/recipe/run_record.h"
#include "stages/report/age_charts.h"
#include "stages/report/cost_table.h"
#include "stages/report/edits_page.h"
#include "stages/report/evaluation_blocks.h"
#include "stages/report/page/line_chart.h"
#include "stages/report/page/page_script.h"
#include "stages/report/page/page_style.h"
#include "stages/report/size_charts.h"

namespace xkde::report {
namespace {

constexpr size_t kMostPoints = 400;  ///< of a training curve
constexpr size_t kNarrowMap = 5;     ///< test languages up to which two maps stand side by side
constexpr size_t kLongTable = 24;    ///< rows above which a table is folded

std::string two_decimals(double value) { return fmt::format("{:.2f}", value); }

std::string cell(const ResultRow* row, bool is_best) {
  if (row == nullptr) return "<td>–</td>";
  if (!row->value) return "<td title=\"not asked: n = 0\">–</td>";
  std::string text = is_best ? "<td class=\"best\"" : "<td";
  text += " title=\"n = " + counted(row->n);
  if (row->low && row->high)
    text += ", 95 %: " + value_text(*row->low, row->metric) + " to " +
            value_text(*row->high, row->metric);
  if (row->scope.run_seed) text += ", seed of the run: " + std::to_string(*row->scope.run_seed);
  if (row->num_seeds > 0)
    text += ", mean over " + counted(row->num_seeds) + " " + plural("seed", row->num_seeds);
  text += "\">" + value_text(*row->value, row->metric);
  if (row->spread) text += " <small>±" + value_text(*row->spread, row->metric) + "</small>";
  if (row->low && row->high && row->n > 1) {
    const double half = (*row->high - *row->low) / 2;
    text += " <small>±" + value_text(half, row->metric) + "</small>";
  }
  if (!row->published.empty()) text += "<br><small>published " + published_text(*row) + "</small>";
  return text + "</td>";
}

std::string head_cells(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += "<th scope=\"col\">" + escaped(name) + "</th>";
  return text;
}

/// The label whose value is better than those of all others, where there are others.
std::optional<std::string> best_label(const EvaluationBlock& block, int64_t size,
                                      const LanguagePair& pair, const std::string& metric) {
  std::vector<std::pair<double, std::string>> values;
  for (const std::string& label : block.labels) {
    const ResultRow* row = block.find(label, size, pair, metric);
    const double sign = plain_metric(metric) != nullptr ? -1 : 1;
    if (row != nullptr && row->value) values.emplace_back(sign * *row->value, label);
  }
  std::sort(values.rbegin(), values.rend());
  if (values.size() < 2 || values[0].first == values[1].first) return std::nullopt;
  return values.front().second;
}

/// A line of a table: one evaluation of one language pair and size.
struct TableLine {
  LanguagePair pair;
  int64_t size = 0;
  std::string label;
  std::vector<const ResultRow*> rows;  ///< of the metrics; null: none
  const ResultRow* any = nullptr;
};

std::vector<TableLine> lines_of(const EvaluationBlock& block,
                                const std::vector<std::string>& metrics) {
  std::vector<TableLine> lines;
  for (const LanguagePair& pair : block.pairs) {
    for (const int64_t size : block.sizes) {
      for (const std::string& label : block.labels) {
        TableLine line{pair, size, label, {}, nullptr};
        for (const std::string& metric : metrics) {
          line.rows.push_back(block.find(label, size, pair, metric));
          if (line.rows.back() != nullptr) line.any = line.rows.back();
        }
        if (line.any != nullptr) lines.push_back(std::move(line));
      }
    }
  }
  return lines;
}

/// What the table says below itself of published values.
std::string published_html(const std::vector<TableLine>& lines) {
  std::vector<const ResultRow*> shown;
  for (const TableLine& line : lines)
    std::ranges::copy_if(line.rows, std::back_inserter(shown),
                         [](const ResultRow* row) { return row != nullptr; });
  const std::string note = published_note(shown);
  return note.empty() ? "" : "<p class=\"sub\">" + escaped(note) + "</p>\n";
}

std::string results_table(const EvaluationBlock& block, const std::vector<std::string>& metrics,
                          const std::string& caption) {
  const bool has_sizes = block.sizes.size() > 1 || block.sizes.front() > 1;
  const std::vector<TableLine> lines = lines_of(block, metrics);
  const bool has_records = std::ranges::any_of(
      lines, [](const TableLine& line) { return !records_text(*line.any).empty(); });
  std::string text = "<div class=\"scroll\"><table><caption>" + escaped(caption) +
                     "</caption><thead><tr><th class=\"l\" scope=\"col\">" +
                     (block.asks_edits() ? "edit → test" : "language") + "</th>";
  if (has_sizes) text += "<th scope=\"col\">edits</th>";
  if (has_records) text += "<th scope=\"col\">batch</th><th scope=\"col\">records</th>";
  text += "<th class=\"l\" scope=\"col\">evaluation</th>" + head_cells(metrics) +
          "</tr></thead><tbody>\n";
  for (const TableLine& line : lines) {
    text += "<tr><th scope=\"row\">" + escaped(pair_text(line.pair)) + "</th>";
    if (has_sizes) text += "<td>" + counted(line.size) + "</td>";
    if (has_records) {
      const std::string records = records_text(*line.any);
      text += "<td>" + (records.empty() ? "–" : counted(line.any->scope.batch)) + "</td><td>" +
              (records.empty() ? "–" : records) + "</td>";
    }
    text += "<td class=\"l\">" + escaped(line.label) + "</td>";
    for (size_t i = 0; i < metrics.size(); ++i)
      text += cell(line.rows[i], best_label(block, line.size, line.pair, metrics[i]) == line.label);
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n" + published_html(lines);
}

std::string heat_cell(const ResultRow* row) {
  if (row == nullptr || !row->value) return "<td>–</td>";
  const double share = std::clamp(*row->value / 100, 0.0, 1.0);
  return fmt::format("<td style=\"background:rgba(var(--heat),{:.2f})\">{:.2f}</td>", 0.55 * share,
                     *row->value);
}

std::vector<std::string> languages_of(const EvaluationBlock& block, bool edit) {
  std::vector<std::string> languages;
  for (const LanguagePair& pair : block.pairs) {
    const std::string& language = edit ? pair.first : pair.second;
    if (std::find(languages.begin(), languages.end(), language) == languages.end())
      languages.push_back(language);
  }
  return languages;
}

/// Edit languages by test languages, for the largest memory of the last evaluation.
std::string heat_maps(const EvaluationBlock& block) {
  const std::vector<std::string> edits = languages_of(block, true);
  const std::vector<std::string> tests = languages_of(block, false);
  if (edits.size() + tests.size() < 4) return "";
  const std::string& label = block.labels.back();
  const bool is_wide = tests.size() > kNarrowMap;
  std::string text = is_wide ? "<div>\n" : "<div class=\"maps\">\n";
  for (const std::string_view metric : kMainMetrics) {
    const std::string name(metric);
    text += "<div class=\"scroll\"><table class=\"heat\"><caption>" + name + ", " + escaped(label);
    if (block.sizes.back() > 1) text += ", " + counted(block.sizes.back()) + " edits";
    text += "</caption><thead><tr><th class=\"l\" scope=\"col\">edit ↓ test →</th>" +
            head_cells(tests) + "</tr></thead><tbody>\n";
    for (const std::string& edit : edits) {
      text += "<tr><th scope=\"row\">" + escaped(edit) + "</th>";
      for (const std::string& test : tests)
        text += heat_cell(block.find(label, block.sizes.back(), {edit, test}, name));
      text += "</tr>\n";
    }
    text += "</tbody></table></div>\n";
  }
  return text + "</div>\n";
}

/// Means over the language pairs, and over those with two languages.
std::string means_table(const EvaluationBlock& block) {
  if (block.pairs.size() < 2) return "";
  const std::vector<std::string> metrics = metrics_of(block, false);
  std::vector<LanguagePair> crossing;
  std::copy_if(block.pairs.begin(), block.pairs.end(), std::back_inserter(crossing),
               [](const LanguagePair& pair) { return pair.first != pair.second; });
  std::string text =
      "<div class=\"scroll\"><table><caption>Means over language pairs</caption>"
      "<thead><tr><th class=\"l\" scope=\"col\">pairs</th><th scope=\"col\">edits"
      "</th><th class=\"l\" scope=\"col\">evaluation</th>" +
      head_cells(metrics) + "</tr></thead><tbody>\n";
  std::vector<std::pair<std::string, std::vector<LanguagePair>>> groups{
      {"all " + std::to_string(block.pairs.size()), block.pairs}};
  if (!crossing.empty() && crossing.size() < block.pairs.size())
    groups.emplace_back("edit ≠ test", crossing);
  for (const auto& [name, pairs] : groups) {
    for (const int64_t size : block.sizes) {
      for (const std::string& label : block.labels) {
        text += "<tr><th scope=\"row\">" + name + "</th><td>" + counted(size) +
                "</td><td class=\"l\">" + escaped(label) + "</td>";
        for (const std::string& metric : metrics) {
          const auto mean = mean_over(block, pairs, label, size, metric);
          text += mean ? "<td>" + two_decimals(mean->y) + "</td>" : "<td>–</td>";
        }
        text += "</tr>\n";
      }
    }
  }
  return text + "</tbody></table></div>\n";
}

/// A block that is not about edits.
std::string capability_html(const EvaluationBlock& block) {
  return results_table(block, block.metrics,
                       "Accuracies in percent; nll in nats a token, bits_per_byte in bits: less is "
                       "better. ± is half the 95 % bootstrap interval; the best of several is "
                       "bold.");
}

/// Whether the edits of an evaluation can be read: pages are written when a run ends.
bool has_page(const RunResults& run, const Evaluation& evaluation) {
  return run.is_finished ||
         is_there(run.folder / recipe::kReportFolder / edits_page_name(evaluation),
                  FileOrigin::kOwn);
}

/// Where the edits of a block can be read, by evaluation.
std::string edits_links(const RunResults& run, const EvaluationBlock& block) {
  std::string links;
  for (const Evaluation* evaluation : block.evaluations) {
    if (!has_page(run, *evaluation)) continue;
    links += (links.empty() ? "" : " · ") + std::string("<a href=\"report/") +
             escaped(edits_page_name(*evaluation)) + "\">" + escaped(evaluation->label) + "</a>";
  }
  return links.empty() ? "" : "<p>Read what was said: " + links + "</p>\n";
}

/// `alone`: the run, where the page is of one.
std::string block_html(const EvaluationBlock& block, const RunResults* alone) {
  std::string text = "<h2>" + escaped(block.title) + "</h2>\n";
  if (!block.asks_edits()) return text + capability_html(block);
  if (alone != nullptr) text += edits_links(*alone, block);
  const std::string table = results_table(
      block, metrics_of(block, false),
      "Percent; fluency is an entropy times 100. ± is half the 95 % bootstrap "
      "interval, or over seeds their standard deviation; the best of several is bold.");
  const bool is_long = block.pairs.size() * block.sizes.size() * block.labels.size() > kLongTable;
  text += means_table(block) + size_charts(block) + age_charts(block);
  if (is_long) text += heat_maps(block) + "<details><summary>Every language pair</summary>\n";
  text += table;
  text += is_long ? "</details>\n" : heat_maps(block);
  const std::vector<std::string> parts = metrics_of(block, true);
  if (parts.empty()) return text;
  return text + "<details><summary>By kind of question</summary>\n" +
         results_table(block, parts, "The same, by kind of question.") + "</details>\n";
}

/// What remains of edits after more training or rounding.
std::string survival_html(std::span<const Survival> all) {
  std::string text;
  for (const Survival& survival : all) {
    text += "<div class=\"scroll\"><table><caption>" + escaped(survival.title()) +
            "</caption><thead><tr><th class=\"l\" scope=\"col\">edit → test</th><th class=\"l\" "
            "scope=\"col\">metric</th>" +
            head_cells(survival.measures) + "</tr></thead><tbody>\n";
    for (const Survival::Line& line : survival.lines) {
      text += "<tr><th class=\"l\" scope=\"row\">" + escaped(pair_text(line.pair)) +
              "</th><td class=\"l\">" + escaped(line.metric) + "</td>";
      for (const std::string& measure : survival.measures) {
        const auto kept = line.kept.find(measure);
        text += "<td>" + (kept == line.kept.end() ? "–" : kept_text(kept->second)) + "</td>";
      }
      text += "</tr>\n";
    }
    text += "</tbody></table></div>\n";
  }
  if (text.empty()) return text;
  return "<h2>What remains</h2>\n<p>Of the questions that were answered rightly, the share that is "
         "still answered rightly after more training or rounding.</p>\n" +
         text;
}

std::string grid_html(const TextGrid& grid, const std::string& caption) {
  if (grid.empty()) return "";
  std::string text = "<div class=\"scroll\"><table><caption>" + escaped(caption) +
                     "</caption><thead><tr>" + head_cells(grid.front()) + "</tr></thead><tbody>\n";
  for (size_t i = 1; i < grid.size(); ++i) {
    text += "<tr><th scope=\"row\">" + escaped(grid[i].front()) + "</th>";
    for (size_t j = 1; j < grid[i].size(); ++j) text += "<td>" + escaped(grid[i][j]) + "</td>";
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

/// How far the scorers of free answers say the same.
std::string agreement_html(std::span<const RunResults> runs) {
  std::string text;
  for (const RunResults& run : runs) {
    for (const Evaluation& evaluation : run.evaluations) {
      const std::string tables =
          grid_html(agreement_grid(evaluation.agreement.scorers),
                    "Equal verdicts in percent, and Cohen's kappa. A score of at least 0.5 says "
                    "right. Without questions of locality.") +
          grid_html(agreement_grid(evaluation.agreement.labelled),
                    "The judge against rows that people labelled.");
      if (tables.empty()) continue;
      const std::string name = evaluation.stage + ": " + evaluation.label;
      text +=
          "<h3>" + escaped(runs.size() > 1 ? run.name + ": " + name : name) + "</h3>\n" + tables;
    }
  }
  return text.empty() ? "" : "<h2>Agreement of scorers</h2>\n" + text;
}

/// What quality took, a row for each evaluation.
std::string cost_html(std::span<const RunResults> runs) {
  const TextGrid grid = cost_grid(runs);
  if (grid.size() < 2) return "";
  return "<h2>Cost</h2>\n" +
         grid_html(grid,
                   "Preparation is what the edits took before the first question, of the last "
                   "start; seconds of answers are added over ranks. State is what is kept of the "
                   "edits beside the model; the peak is that of one rank.");
}

ChartLine curve(const std::string& name, const std::vector<std::pair<double, double>>& points) {
  ChartLine line{name, {}};
  const size_t stride = std::max<size_t>(1, (points.size() + kMostPoints - 1) / kMostPoints);
  for (size_t i = 0; i < points.size(); i += stride)
    line.points.push_back({points[i].first, points[i].second, points[i].second, points[i].second});
  return line;
}

/// A chart of trainings: what belongs together.
struct TrainingChart {
  std::string title, y_name;
  std::vector<std::string> keys;
};

/// A training with the name before its lines.
using NamedTraining = std::pair<std::string, const TrainingCurves*>;

/// The charts of trainings that lie one over another.
std::string training_charts(const std::vector<NamedTraining>& trainings) {
  const std::vector<TrainingChart> kCharts{
      {"loss", "loss, nats a token", {"loss", "eval_loss"}},
      {"gradient norm", "2-norm", {"grad_norm"}},
      {"learning rate", "learning rate", {"learning_rate"}},
      {"tokens per second", "tokens / s", {"tokens_per_second"}},
      {"rewards", "reward", {"rewards/chosen", "rewards/rejected", "rewards/margins"}},
      {"accuracy of rewards", "share", {"rewards/accuracies", "eval_rewards/accuracies"}}};
  std::string text;
  for (const TrainingChart& one : kCharts) {
    LineChart chart{.title = one.title, .x_name = "step", .y_name = one.y_name, .lines = {}};
    for (const auto& [name, training] : trainings) {
      for (const std::string& key : one.keys) {
        const auto found = training->series.find(key);
        if (found == training->series.end()) continue;
        const bool is_alone = one.keys.size() == 1;
        const std::string line = is_alone ? name : name + ", " + key;
        chart.lines.push_back(curve(name.empty() ? key : line, found->second));
      }
    }
    if (!chart.lines.empty()) text += figure(chart);
  }
  return text.empty() ? "" : "<div class=\"charts\">\n" + text + "</div>\n";
}

/// Of several runs, trainings of one kind and place among their kind lie one over another.
std::string training_html(std::span<const RunResults> runs) {
  std::vector<std::pair<std::string, std::vector<NamedTraining>>> groups;
  for (const RunResults& run : runs) {
    std::map<std::string, int> counts;
    for (const TrainingCurves& training : run.trainings) {
      if (training.series.empty()) continue;
      const std::string kind = training.stage.substr(training.stage.find('-') + 1);
      const int count = ++counts[kind];
      std::string title = training.stage;
      if (runs.size() > 1) title = count == 1 ? kind : fmt::format("{} {}", kind, count);
      auto group = std::ranges::find(groups, title, [](const auto& one) { return one.first; });
      if (group == groups.end()) group = groups.insert(group, {title, {}});
      group->second.emplace_back(runs.size() > 1 ? run.name : "", &training);
    }
  }
  std::string text;
  for (const auto& [title, trainings] : groups)
    text += "<h3>" + escaped(title) + "</h3>\n" + training_charts(trainings);
  return text.empty() ? "" : "<h2>Training</h2>\n" + text;
}

/// Runs held against the first one.
std::string comparison_html(const RunComparison& comparison) {
  std::string text;
  for (const std::string& warning : comparison.warnings)
    text += "<p class=\"warn\">" + escaped(warning) + "</p>\n";
  text +=
      grid_html(differences_grid(comparison),
                "Each run's last evaluation against that of the first run, in percent, over the "
                "questions that both asked. n is records; intervals are those of a paired "
                "bootstrap over records, p of a test that turns signs, p (Holm) corrected for "
                "all lines.");
  text += grid_html(comparison.recipe_keys, "Keys of the recipes that differ.");
  return text.empty() ? "" : "<h2>Comparison</h2>\n" + text;
}

std::string text_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string run_html(const RunResults& run) {
  std::string text = "<p class=\"sub\">";
  text +=
      run.is_finished ? "finished" : "not finished: " + escaped(text_of(run.run, "exit_reason"));
  text += ", " + escaped(text_of(run.run, "start")) + " to " + escaped(text_of(run.run, "end"));
  if (const auto hosts = run.run.find("hosts"); hosts != run.run.end() && hosts->is_array())
    text += ", " + counted(std::ssize(*hosts)) + " " + plural("rank", std::ssize(*hosts));
  text += ", git " + escaped(text_of(run.run, "git_commit")) + "</p>\n";
  const auto recipe = run.run.find("recipe");
  if (recipe == run.run.end()) return text;
  return text + "<details><summary>Recipe as it ran</summary><pre>" + escaped(recipe->dump(1)) +
         "</pre></details>\n";
}

bool is_running(const RunResults& run) {
  return text_of(run.run, "exit_reason") == recipe::kRunning;
}

/// With the time of writing, by which the script of the page tells its age.
std::string live_body() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto written = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  return fmt::format("<body data-live=\"{}\">\n", written);
}

constexpr std::string_view kLiveNote =
    "<p class=\"sub\" role=\"status\">The run goes on. This page is <span id=\"live\">new</span> "
    "and "
    "reads itself again.</p>\n";

}  // namespace

std::string html_report(std::span<const RunResults> runs, std::span<const Survival> survived,
                        const RunComparison& comparison) {
  std::string names;
  for (const RunResults& run : runs) names += (names.empty() ? "" : ", ") + run.name;
  const bool is_live = runs.size() == 1 && is_running(runs.front());
  std::string text = page_head(names, kPagePolicy) + (is_live ? live_body() : "<body>\n") + "<h1>" +
                     escaped(names) + "</h1>\n" + (is_live ? std::string(kLiveNote) : "");
  for (const RunResults& run : runs) {
    if (runs.size() > 1) text += "<h3>" + escaped(run.name) + "</h3>\n";
    text += run_html(run);
  }
  const std::vector<EvaluationBlock> blocks = evaluation_blocks(runs);
  if (blocks.empty()) text += "<p class=\"empty\">No evaluation is complete.</p>\n";
  text += comparison_html(comparison);
  const RunResults* const alone = runs.size() == 1 ? &runs.front() : nullptr;
  for (const EvaluationBlock& block : blocks) text += block_html(block, alone);
  text += benchmark_means(blocks);
  text += survival_html(survived);
  text += cost_html(runs);
  return text + agreement_html(runs) + training_html(runs) + "<script>" + std::string(kPageScript) +
         "</script>\n</body></html>\n";
}

bool is_html_report(std::string_view text) { return has_page_head(text); }

}  // namespace xkde::report
