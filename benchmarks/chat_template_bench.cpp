// Chat templates: what the interpreter writes, one JSON line a conversation, or its speed.
//   chat_template_bench --template chat_template.jinja --chats FILE.json [--date 2026-11-28]
//   [--seconds 3]
// FILE.json is a list of objects, whose entries are the variables of one rendering: "messages",
// "add_generation_prompt", "bos_token", … With --seconds there is one line: conversations a second
// on one core.

#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/stopwatch.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "core/text/jinja/python/json_value.h"
#include "core/text/jinja/template.h"

namespace {

using namespace xkde;

struct Settings {
  std::string source, chats, date;
  double seconds = 0.0;
};

Json outcome(const jinja::Template& parsed, const jinja::Variables& variables,
             const std::optional<jinja::Clock>& clock) {
  try {
    const jinja::Rendered rendered = parsed.render(variables, clock);
    Json spans = Json::array();
    for (const auto& [begin, end] : rendered.generated) spans.push_back({begin, end});
    return {{"text", rendered.text}, {"spans", spans}};
  } catch (const DataError& error) {
    return {{"turned_away", error.what()}};
  } catch (const ConfigError& error) {
    return {{"error", error.what()}};
  }
}

int run(const Settings& settings) {
  const auto clock = jinja::parse_clock(settings.date);
  const Json chats = read_json_file(settings.chats);
  std::vector<jinja::Variables> all;
  for (const Json& chat : chats) {
    jinja::Variables& variables = all.emplace_back();
    for (const auto& [name, value] : chat.items())
      variables.emplace_back(chat.find(name).key(), jinja::value_of(value));
  }
  const auto parsed =
      jinja::Template::parse(read_text(settings.source, FileOrigin::kInput), settings.source);
  if (settings.seconds <= 0.0) {
    for (const jinja::Variables& variables : all)
      std::cout << outcome(parsed, variables, clock).dump() << "\n";
    return 0;
  }
  const Stopwatch watch;
  int64_t conversations = 0;
  size_t bytes = 0;
  while (watch.seconds() < settings.seconds) {
    for (const jinja::Variables& variables : all)
      bytes += parsed.render(variables, clock).text.size();
    conversations += std::ssize(all);
  }
  const double seconds = watch.seconds();
  std::cout << Json{{"case", "chat_template"},
                    {"template", settings.source},
                    {"conversations_per_second", static_cast<double>(conversations) / seconds},
                    {"bytes_per_second", static_cast<double>(bytes) / seconds}}
                   .dump()
            << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app("chat templates, rendered or timed");
  app.add_option("--template", settings.source, "a chat template")->required();
  app.add_option("--chats", settings.chats, "variables of each rendering")->required();
  app.add_option("--date", settings.date, "what strftime_now tells");
  app.add_option("--seconds", settings.seconds, "time it for so long");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(settings);
  } catch (const Error& error) {
    std::cerr << error.kind() << ": " << error.what() << "\n";
    return static_cast<int>(error.exit_code());
  }
}
