#include "launch/commands.h"

#include <utility>

#include "launch/ask.h"
#include "launch/checkpoint_commands.h"
#include "launch/environment_report.h"
#include "launch/estimate.h"
#include "launch/init.h"
#include "launch/report.h"
#include "launch/run_recipe.h"
#include "launch/show.h"
#include "launch/validate.h"
#include "launch/watch.h"

namespace xkde {

CliCommands all_commands(std::vector<std::string> argv) {
  CliCommands commands;
  commands.push_back(std::make_unique<RunCommand>(std::move(argv)));
  commands.push_back(std::make_unique<InitCommand>());
  commands.push_back(std::make_unique<ValidateCommand>());
  commands.push_back(std::make_unique<EstimateCommand>());
  commands.push_back(std::make_unique<AskCommand>());
  commands.push_back(std::make_unique<ReportCommand>());
  commands.push_back(std::make_unique<ShowCommand>());
  commands.push_back(std::make_unique<WatchCommand>());
  commands.push_back(std::make_unique<EnvCommand>());
  commands.push_back(std::make_unique<CkptLsCommand>());
  commands.push_back(std::make_unique<CkptVerifyCommand>());
  commands.push_back(std::make_unique<CkptExportCommand>());
  return commands;
}

}  // namespace xkde
