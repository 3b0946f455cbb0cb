#include "launch/ask/serve.h"

#include <string>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/standard_output.h"
#include "core/base/stop_signals.h"
#include "stages/ask/answerer.h"

namespace xkde {
namespace {

bool is_this_machine(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace

std::string_view ServeCommand::summary() const {
  return "a web page on which one tries edits of the model that ask would ask, and an API for "
         "clients of OpenAI's, both for this machine alone and for who knows the token of the "
         "address that it prints; Ctrl-C ends it";
}

std::vector<std::string_view> ServeCommand::examples() const {
  return {"xkde_dist serve --model models/SmolLM2-135M-Instruct --facts facts.jsonl",
          "xkde_dist serve recipe.yaml --port 9000 --lang de"};
}

void ServeCommand::define(CLI::App& app) {
  asked.define(app);
  app.add_option("--port", options.port,
                 "where to listen (default: 8642); 0: any port that is free")
      ->check(CLI::Range(0, 65535))
      ->type_name("N");
  app.add_option(
         "--host", options.host,
         "an address of this machine, for requests from others, which are not encrypted (default: "
         "127.0.0.1, for this machine alone)")
      ->type_name("ADDRESS");
  app.add_option("--max-tokens", options.limits.new_tokens,
                 "tokens of an answer that a request may ask for (default: 2048)")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N");
}

void ServeCommand::check(std::span<const std::string> /*names*/) {
  XKDE_CHECK(asked.options.model.empty() || asked.arguments.words.empty(), UsageError,
             "serve: expected a recipe or --model, found both");
  asked.check(name());
}

int ServeCommand::run() {
  ask::Answerer answerer(asked.options);
  serve::Server server(answerer, options);
  // Up to here there is nothing to end in order.
  install_stop_signals();
  if (!is_this_machine(options.host)) {
    log::warning(concat("serve: other machines reach ", options.host,
                        "; nothing is encrypted, and who knows the token may ask"));
  }
  print(concat(server.address(), "\n"));
  log::info(concat("serve: ", answerer.model_name(), " with ", answerer.facts().size(),
                   " facts; Ctrl-C ends it"));
  server.run();
  return 0;
}

}  // namespace xkde
