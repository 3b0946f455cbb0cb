#include "launch/show.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "core/base/error.h"
#include "core/base/standard_output.h"

namespace xkde {

std::string_view ShowCommand::summary() const {
  return "the questions of a run's evaluations to read one by one: fact, question, what is right, "
         "and what was said before and after";
}

std::vector<std::string_view> ShowCommand::examples() const {
  return {"xkde_dist show runs/quickstart --wrong --lang es",
          "xkde_dist show runs/quickstart --record 17"};
}

void ShowCommand::define(CLI::App& app) {
  app.add_option("RUN", folder, "the folder of a run");
  app.add_flag("--wrong", shown.wrong,
               "only questions whose last answer is wrong, or of locality changed");
  app.add_option("--lang", shown.language, "only questions in this language")->type_name("LANG");
  app.add_option("--metric", shown.metric, "only questions of this metric: reliability, locality …")
      ->type_name("METRIC");
  app.add_option("--record", shown.record, "only questions of this record")->type_name("N");
  app.add_option("--limit", shown.limit, "so many questions, at most; 0: all")
      ->type_name("N")
      ->capture_default_str();
}

void ShowCommand::check(std::span<const std::string> /*names*/) {
  XKDE_CHECK(!folder.empty(), UsageError, "show: expected the folder of a run, found none");
  XKDE_CHECK(shown.limit >= 0, UsageError, "show: expected --limit of at least 0, found ",
             shown.limit);
}

int ShowCommand::run() {
  print(report::shown_edits(folder, shown, output_columns()));
  return 0;
}

}  // namespace xkde
