#include "core/text/jinja/template.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "core/text/jinja/python/json_value.h"
#include "tests/core/text/error_of.h"

namespace {

using namespace xkde;
using jinja::Template;
using testing::HasSubstr;
using testing::StartsWith;
using xkde::jinja::value_of;
using xkde::test::error_of;

std::filesystem::path golden_folder() {
  return std::filesystem::path(XKDE_SOURCE_DIR) / "tests/golden/chat_templates";
}

const Json& golden() {
  static const Json json = read_json_file(golden_folder() / "golden.json");
  return json;
}

/// The variables of one call, as transformers gives them.
jinja::Variables variables_of(const Json& chat, const Json& tools, bool add_generation_prompt) {
  jinja::Variables variables{{"messages", value_of(chat)},
                             {"tools", value_of(tools)},
                             {"documents", jinja::None{}},
                             {"add_generation_prompt", add_generation_prompt}};
  for (const auto& [name, token] : golden()["tokens"].items())
    variables.emplace_back(name, value_of(token));
  return variables;
}

std::string error_of_rendering(const std::string& source, const jinja::Variables& variables = {}) {
  return error_of([&] { Template::parse(source, "t").render(variables); });
}

/// What differs from the golden outcome, or nothing.
std::string difference(const std::string& source, const jinja::Variables& variables,
                       const Json& expected) {
  jinja::Rendered rendered;
  const std::string error = error_of([&] {
    rendered = Template::parse(source, "t")
                   .render(variables, jinja::parse_clock(golden()["now"].get<std::string>()));
  });
  if (expected.contains("error"))
    return error.starts_with("ConfigError: t: line ") ? ""
                                                      : concat("expected an error, found ", error);
  if (expected.contains("turned_away")) {
    const bool is_right = error.starts_with("DataError: t: line ") &&
                          error.ends_with(": " + expected["turned_away"].get<std::string>());
    return is_right ? "" : concat("expected to be turned away, found ", error);
  }
  if (!error.empty()) return error;
  const std::string text = expected["text"];
  if (rendered.text != text) return concat("expected\n", text, "\nfound\n", rendered.text);
  Json spans = Json::array();
  for (const auto& [begin, end] : rendered.generated) spans.push_back({begin, end});
  const Json wanted = expected.contains("spans") ? expected["spans"] : Json::array();
  return spans == wanted ? "" : concat("expected spans ", wanted.dump(), ", found ", spans.dump());
}

TEST(Template, WritesWhatTransformersWritesForEveryFamily) {
  int families = 0;
  for (const auto& [name, outcomes] : golden()["templates"].items()) {
    const std::string source = read_text(golden_folder() / (name + ".jinja"), FileOrigin::kInput);
    ++families;
    for (const Json& expected : outcomes) {
      const Json& chat = golden()["chats"][expected["chat"].get<std::string>()];
      const Json tools = expected["tools"].get<bool>() ? golden()["tools"] : Json();
      EXPECT_EQ(difference(source,
                           variables_of(chat, tools, expected["add_generation_prompt"].get<bool>()),
                           expected),
                "")
          << name << ", " << expected["chat"] << ", " << expected["add_generation_prompt"];
    }
  }
  EXPECT_GE(families, 25);
}

TEST(Template, DoesWhatPythonDoesWithEachConstruct) {
  jinja::Variables variables = variables_of(golden()["chats"]["one"], Json(), true);
  for (const auto& [name, value] : golden()["variables"].items())
    variables.emplace_back(name, value_of(value));

  for (const Json& snippet : golden()["snippets"]) {
    const std::string source = snippet["source"];
    EXPECT_EQ(difference(source, variables, snippet), "") << source;
  }
}

TEST(Template, NamesConstructAndLineOfWhatItCannotRender) {
  EXPECT_EQ(
      error_of_rendering("a\n\n{% include 'x' %}"),
      "ConfigError: t: line 3: expected a statement (set, if, for, macro, call, filter, with, "
      "generation, break, continue, raw), found \"include\"");
  EXPECT_THAT(error_of_rendering("a\n{{ 'x' | urlize }}"),
              testing::AllOf(StartsWith("ConfigError: t: line 2: filter: expected one of abs, "),
                             HasSubstr(", found urlize")));
  EXPECT_THAT(error_of_rendering("{{ 'x' is weird }}"),
              HasSubstr("line 1: test: expected one of boolean, "));
  EXPECT_EQ(error_of_rendering("{{ 'x'\n.encode() }}"),
            "ConfigError: t: line 2: str: expected a method that a chat template may call here, "
            "found encode");
  EXPECT_EQ(error_of_rendering("{% for a in b recursive %}{% endfor %}"),
            "ConfigError: t: line 1: expected a loop that does not call itself, found "
            "\"recursive\"");
  EXPECT_THAT(error_of_rendering("{% set x %}{% generation %}a{% endgeneration %}{% endset %}"),
              HasSubstr("line 1: expected {% generation %} outside of macros"));
  EXPECT_THAT(error_of_rendering("{{ x.y }}"), HasSubstr("found \"x\", which is undefined"));
  EXPECT_THAT(error_of_rendering("{{ varargs }}"), HasSubstr("found \"varargs\""));
  EXPECT_THAT(error_of_rendering("{{ '\xff' }}"), HasSubstr("t: expected UTF-8"));
  EXPECT_THAT(error_of_rendering("{{ ('<' | safe).upper() }}"), HasSubstr("marked \"safe\""));
  EXPECT_THAT(error_of_rendering("{{ '\u00e9' | upper }}"), HasSubstr("upper case is known here"));
  EXPECT_THAT(error_of_rendering("{{ 9223372036854775807 + 1 }}"), HasSubstr("64 bits"));
  EXPECT_THAT(error_of_rendering("{{ 'x{}'.format(1) }}{{ '{:>3}'.format(1) }}"),
              HasSubstr("format: expected {}"));
}

TEST(Template, TellsADayOnlyWhereTheRecipeSaysWhich) {
  const Template parsed = Template::parse("{{ strftime_now('%Y') }}", "t");

  EXPECT_EQ(parsed.render({}, jinja::parse_clock("2026-11-28")).text, "2026");
  EXPECT_EQ(error_of([&] { parsed.render({}); }),
            "ConfigError: t: line 1: strftime_now: expected a day in the recipe (model.chat_date), "
            "found none");
  EXPECT_THAT(
      error_of([] { Template::parse("{{ strftime_now('%c') }}", "t").render({}, jinja::Clock{}); }),
      HasSubstr("found %c"));
}

TEST(Clock, IsADayThatExists) {
  EXPECT_TRUE(jinja::parse_clock("2024-02-29"));
  EXPECT_TRUE(jinja::parse_clock("2024-02-29 23:59:59"));
  for (const char* text : {"", "2023-02-29", "2024-2-1", "2024-13-01", "2024-01-32", "24-01-01",
                           "2024-01-01 24:00:00", "2024-01-01 10:00", "tomorrow!!"})
    EXPECT_FALSE(jinja::parse_clock(text)) << text;
}

/// Each would take memory or time without end.
TEST(Template, EndsHostileTemplatesByALimit) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "steps"},
      {"{% set ns = namespace(s='x' * 1000) %}{% for a in range(99) %}{% set ns.s = ns.s + ns.s %}"
       "{% endfor %}",
       "bytes of text"},
      {"{{ 'x' * 9999999999 }}", "bytes of text"},
      {"{{ [1] * 9999999999 }}", "steps"},
      {"{{ [] * 9999999999 }}{{ '' * 9999999999 }}{{ 0 / 0 }}", "divisor"},
      {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "deep in each other"},
      {"{% set ns = namespace(l=[]) %}{% for a in range(999) %}{% set ns.l = [ns.l] %}{% endfor %}",
       "lists at most"},
      {"{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}", "deep"},
      {"{{ " + std::string(5000, '-') + "1 }}", "deep"},
      {"{{ 1" +
           [] {
             std::string sum;
             for (int i = 0; i < 5000; ++i) sum += " + 1";
             return sum;
           }() +
           " }}",
       "deep"},
      {[] {
         std::string blocks;
         for (int i = 0; i < 5000; ++i) blocks += "{% if 1 %}";
         return blocks;
       }(),
       "deep"},
      {"{{ '%999999d' % 1 }}", "width"},
      {"{{ 'a'.center(99999999) }}", "width"},
      {"{{ '{:99999999}'.format(1) }}", "format"},
      {"{{ (2 ** 62) * 9 }}", "64 bits"},
      {"{{ -9223372036854775807 - 2 }}", "64 bits"},
      {"{{ (-9223372036854775807 - 1) // -1 }}", "64 bits"},
      {"{% set s = 'x' * 1000000 %}{% for a in range(99999) %}{{ 'y' in s }}{% endfor %}", "steps"},
      {"{% set s = '\u00e9' * 1000000 %}{% for a in range(99999) %}{{ s[-1] }}{% endfor %}",
       "steps"},
      {"{{ [1, 2, 3] | tojson(indent=9999999) }}", "width"},
      {std::string((size_t{1} << 20) + 1, 'x'), "bytes"}};
  for (const auto& [source, limit] : cases)
    EXPECT_THAT(error_of_rendering(source),
                testing::AllOf(StartsWith("ConfigError: t: "), HasSubstr(limit)))
        << source.substr(0, 80);

  EXPECT_EQ(Template::parse("{{ (-9223372036854775807 - 1) % -1 }}", "t").render({}).text, "0");
  EXPECT_EQ(Template::parse("{{ [1, 2][::9223372036854775807] }}", "t").render({}).text, "[1]");
  EXPECT_EQ(
      Template::parse("{{ 0 ** 999999999999 }}{{ (-1) ** 999999999999 }}", "t").render({}).text,
      "0-1");
}

/// Values that hold each other, a macro that outlives its loop, a loop that outlives itself.
TEST(Template, LetsValuesOutliveWhereTheyWereMade) {
  const auto text = [](const char* source) { return Template::parse(source, "t").render({}).text; };

  EXPECT_EQ(text("{% set ns = namespace() %}{% set ns.self = [ns] %}{{ ns.self[0] == ns }}"),
            "True");
  EXPECT_EQ(
      text("{% set ns = namespace() %}{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}"
           "{% if loop.first %}{% set ns.m = m %}{% endif %}{% endfor %}{{ ns.m() }}"),
      "2");
  EXPECT_EQ(text("{% set ns = namespace() %}{% for i in [1, 2] if i %}{% set ns.loop = loop %}"
                 "{% endfor %}{{ ns.loop.length }}"),
            "2");
}

TEST(Template, IsRenderedAnyNumberOfTimes) {
  const Template parsed = Template::parse("{% for i in l %}{{ i ~ '.' }}{% endfor %}", "t");
  const jinja::Variables variables{{"l", value_of(Json{1, 2, 3})}};

  const jinja::Rendered first = parsed.render(variables);
  const jinja::Rendered second = parsed.render(variables);

  EXPECT_EQ(first.text, "1.2.3.");
  EXPECT_EQ(second.text, "1.2.3.");
}

}  // namespace
