#include "launch/program.h"
#include "launch/watch/watch.h"

/// `xkde_watch`: what `xkde_dist watch` becomes.
int main(int argc, char** argv) {
  return xkde::run_program(argc, argv, [] {
    xkde::CliCommands commands;
    commands.push_back(std::make_unique<xkde::WatchCommand>());
    return commands;
  });
}
