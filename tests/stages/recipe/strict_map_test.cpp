#include "stages/recipe/strict_map.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde::recipe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kColours[] = {"red", "green"};

/// Reads `text` with `use`; the message of what was wrong, or "".
std::string messages(const std::string& text, const std::function<void(StrictMap&)>& use) {
  RecipeErrors errors("f");
  StrictMap::Places places;
  const YamlPtr root = read_yaml(text, errors);
  StrictMap map(root, {1, 1}, "", errors, places);
  use(map);
  try {
    errors.throw_if_any();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

template <typename T, typename... Rest>
T value_of(const std::string& value, T start, const Rest&... rest) {
  EXPECT_EQ(messages("k: " + value, [&](StrictMap& map) { map.required("k", start, rest...); }),
            "");
  return start;
}

template <typename T, typename... Rest>
std::string refusal_of(const std::string& value, T start, const Rest&... rest) {
  const T before = start;
  std::string message =
      messages("k: " + value, [&](StrictMap& map) { map.optional("k", start, rest...); });
  EXPECT_EQ(start, before) << "a refused value must not be stored";
  return message;
}

TEST(StrictMap, ReadsEachType) {
  EXPECT_EQ(value_of("12", int64_t{0}), 12);
  EXPECT_EQ(value_of("-9223372036854775808", int64_t{0}), INT64_MIN);
  EXPECT_EQ(value_of("1e-5", 0.0), 1e-5);
  EXPECT_EQ(value_of("1.0E-4", 0.0), 1e-4);
  EXPECT_EQ(value_of("3", 0.0), 3.0);
  EXPECT_EQ(value_of(".5", 0.0), 0.5);
  EXPECT_TRUE(value_of("true", false));
  EXPECT_FALSE(value_of("false", true));
  EXPECT_EQ(value_of("2024", std::string()), "2024");
  EXPECT_EQ(value_of("\"a b\"", std::string()), "a b");
  EXPECT_EQ(value_of("a/b", std::filesystem::path()), "a/b");
  EXPECT_EQ(value_of("green", std::string(), Names{kColours}), "green");
  EXPECT_THAT(value_of("[1, 2]", std::vector<int64_t>()), ElementsAre(1, 2));
  EXPECT_THAT(value_of("[1.5]", std::vector<double>()), ElementsAre(1.5));
  EXPECT_THAT(value_of("[x, \"y\"]", std::vector<std::string>()), ElementsAre("x", "y"));
  EXPECT_THAT(value_of("[red]", std::vector<std::string>(), Names{kColours}), ElementsAre("red"));
}

TEST(StrictMap, RefusesIntegersThatAreNone) {
  for (const char* value : {"1.0", "1e3", "0x10", "010", "1_000", "\"1\"", "+1", "one", "[1]",
                            "{a: 1}", "9223372036854775808", "yes", ".inf"}) {
    EXPECT_THAT(refusal_of(value, int64_t{7}), HasSubstr("f:1:4: k: expected an integer, found "))
        << value;
  }
  EXPECT_EQ(refusal_of("~", int64_t{7}), "f:1:1: k: expected an integer, found nothing");
}

TEST(StrictMap, RefusesNumbersThatAreNone) {
  for (const char* value : {"nan", "inf", "-inf", ".nan", ".inf", "1e999", "1e-5x", "1,5", "\"1\"",
                            "0x1p3", "00.5", "1e", "--1", "true"}) {
    EXPECT_THAT(refusal_of(value, 0.5), HasSubstr("k: expected a number, found ")) << value;
  }
}

TEST(StrictMap, TakesOnlyTrueAndFalseAsBooleans) {
  for (const char* value : {"yes", "no", "on", "off", "True", "FALSE", "1", "0", "\"true\"", "y"}) {
    EXPECT_THAT(refusal_of(value, true), HasSubstr("k: expected true or false, found ")) << value;
  }
}

TEST(StrictMap, SaysTheConditionThatDoesNotHold) {
  EXPECT_EQ(refusal_of("0", int64_t{1}, kPositive),
            "f:1:4: k: expected a positive integer, found 0");
  EXPECT_EQ(refusal_of("-1", int64_t{1}, kNotNegative),
            "f:1:4: k: expected an integer of at least 0, found -1");
  EXPECT_EQ(refusal_of("1", 0.5, kShare), "f:1:4: k: expected a number in [0, 1), found 1");
  EXPECT_EQ(refusal_of("0", 0.5, kPositiveNumber), "f:1:4: k: expected a positive number, found 0");
  EXPECT_EQ(refusal_of("\"\"", std::string("x")),
            "f:1:4: k: expected a text that is not empty, found \"\"");
}

TEST(StrictMap, SuggestsANameNearby) {
  const Names names{kColours};

  EXPECT_EQ(refusal_of("gren", std::string("red"), names),
            "f:1:4: k: expected red or green, found gren; did you mean 'green'?");
  EXPECT_EQ(refusal_of("[red]", std::string("red"), names),
            "f:1:4: k: expected red or green, found a list of 1");
}

TEST(StrictMap, ChecksEachItemOfAList) {
  EXPECT_EQ(refusal_of("[1, x, 2, 1]", std::vector<int64_t>{9}),
            "f: 2 errors\n"
            "f:1:8: k.1: expected an integer, found x\n"
            "f:1:14: k.3: expected each value once, found 1 again");
  EXPECT_EQ(refusal_of("[]", std::vector<int64_t>{9}),
            "f:1:4: k: expected a list, each item an integer, found a list of 0");
  EXPECT_THAT(refusal_of("en", std::vector<std::string>{"x"}), HasSubstr("found en"));
}

TEST(StrictMap, RepeatableListsMayHoldAValueTwice) {
  std::vector<double> values;
  EXPECT_EQ(messages("{k: [0.5, 0.25, 0.25], l: [1, 1]}",
                     [&](StrictMap& map) {
                       map.repeatable("k", values);
                       std::vector<double> others;
                       map.optional("l", others);
                     }),
            "f:1:31: l.1: expected each value once, found 1 again");
  EXPECT_THAT(values, ElementsAre(0.5, 0.25, 0.25));
}

TEST(StrictMap, ReportsMissingKeysWhereTheirMappingBegins) {
  const auto message = messages("a: {x: 1}\n", [](StrictMap& map) {
    int64_t x = 0, y = 0;
    StrictMap inner = map.map("a");
    inner.required("x", x);
    inner.required("y", y, kPositive);
    inner.done();
    map.done();
  });

  EXPECT_EQ(message, "f:1:1: a.y: expected a positive integer, found no such key");
}

TEST(StrictMap, ReportsKeysThatNobodyAskedFor) {
  const auto message = messages("sed: 1\nzebra: 2\n", [](StrictMap& map) {
    int64_t seed = 0;
    std::string name;
    map.optional("seed", seed);
    map.optional("name", name);
    map.done();
  });

  EXPECT_EQ(message,
            "f: 2 errors\n"
            "f:1:1: sed: unknown key; did you mean 'seed'?\n"
            "f:2:1: zebra: unknown key; expected seed or name");
}

TEST(StrictMap, RefusedKeysAreReportedOnce) {
  const auto message = messages("old: 1\n", [](StrictMap& map) {
    map.refuse("old", "gone");
    map.refuse("older", "gone");
    map.done();
  });

  EXPECT_EQ(message, "f:1:1: old: gone");
}

TEST(StrictMap, ValueInPlaceOfAMappingIsOneMistake) {
  const auto message = messages("a: 5\nb:\n", [](StrictMap& map) {
    int64_t x = 0;
    StrictMap inner = map.map("a");
    inner.required("x", x);
    StrictMap empty = map.map("b");
    empty.optional("x", x);
    empty.done();
    map.map("c").done();
    map.done();
  });

  EXPECT_EQ(message, "f:1:4: a: expected a mapping (key: value), found 5");
}

TEST(StrictMap, ListOfMappingsMustBeThere) {
  const auto use = [](StrictMap& map) {
    for (StrictMap& item : map.maps("k")) item.done();
  };

  EXPECT_EQ(messages("k: [{}, {}]", use), "");
  EXPECT_EQ(messages("j: 1", use), "f:1:1: k: expected a list of mappings, found no such key");
  EXPECT_EQ(messages("k: []", use), "f:1:4: k: expected a list of mappings, found a list of 0");
  EXPECT_EQ(messages("k: [{}, 3]", use), "f:1:9: k.1: expected a mapping (key: value), found 3");
}

TEST(RecipeErrors, ReportsAtMostFiftyLines) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "key" + std::to_string(i) + ": 1\n";

  const std::string message = messages(text, [](StrictMap& map) { map.done(); });

  EXPECT_THAT(message, HasSubstr("f: 100 errors\n"));
  EXPECT_THAT(message, HasSubstr("f:50:1: "));
  EXPECT_THAT(message, HasSubstr("\nand 50 more"));
}

TEST(Printable, EscapesAndCuts) {
  EXPECT_EQ(printable("a\tb\n\x1b"), "a\\tb\\n\\x1b");
  EXPECT_EQ(printable("ééé", 3), "é...");
  EXPECT_EQ(alternatives({"a", "b", "c"}), "a, b or c");
}

enum class Shade { kLight, kDark };
constexpr Named<Shade> kShades[] = {{"light", Shade::kLight}, {"dark", Shade::kDark}};

/// A section with a key of every kind.
struct Paint {
  int64_t litres = 1;
  double price = 0.5;
  bool is_wet = false;
  std::string name = "none";
  std::filesystem::path folder = "a/b";
  std::vector<double> mix{0.5, 0.5};
  Shade shade = Shade::kLight;
  std::optional<Shade> lining;
  std::optional<std::string> label, note;
  std::vector<std::string> coats;
  std::vector<Paint> layers;

  void each_key(StrictMap map) {
    map.required("litres", litres, kPositive);
    map.optional("price", price, kPositiveNumber);
    map.optional("is_wet", is_wet);
    map.optional("name", name);
    map.optional("folder", folder);
    map.repeatable("mix", mix);
    map.optional("shade", shade, kShades);
    map.optional_or_auto("lining", lining, kShades);
    if (map.asks("label", label)) map.optional("label", *label);
    if (map.asks("note", note)) map.optional("note", *note);
    map.written_if(!coats.empty(), "coats", coats, Names{kColours});
    if (map.has("layers") || !layers.empty()) {
      map.list("layers", layers,
               [](StrictMap item, Paint& layer) { layer.each_key(std::move(item)); });
    }
    if (map.reads()) name += "!";
    if (litres > 100) map.add_error("litres", "expected a bucket");
    map.refuse("gallons", "unknown key; did you mean 'litres'?");
    map.done();
  }
};

/// Each key in its place, in the order of each_key().
constexpr const char* kPaint =
    R"({"litres":7,"price":2.5,"is_wet":true,"name":"sky","folder":"c","mix":[0.25,0.25,0.5],)"
    R"("shade":"dark","lining":"light","label":"l","note":"n","coats":["green","red"],)"
    R"("layers":[{"litres":1,"price":0.5,"is_wet":false,"name":"none!","folder":"a/b",)"
    R"("mix":[0.5,0.5],"shade":"light","lining":"auto"}]})";

TEST(StrictMap, IsWrittenWithTheKeysThatItReads) {
  Paint paint;
  const std::string layer = R"("layers":[{"litres":1}])";
  std::string text = kPaint;
  text.replace(text.find(R"("layers")"), std::string::npos, layer + "}");

  EXPECT_EQ(messages(text, [&](StrictMap& map) { paint.each_key(map); }), "");
  paint.name = "sky";

  EXPECT_EQ(written(paint).dump(), kPaint);
}

TEST(StrictMap, IsWrittenWithoutMistakesAndWithoutKeysThatSayNothing) {
  Paint paint;
  paint.litres = 1000;

  const Json json = written(paint);

  EXPECT_EQ(json.dump(),
            R"({"litres":1000,"price":0.5,"is_wet":false,"name":"none","folder":"a/b",)"
            R"("mix":[0.5,0.5],"shade":"light","lining":"auto"})");
}

TEST(StrictMap, ListsKeysWithoutADefaultEachOnce) {
  const auto message = [](const std::string& text) {
    return messages(text, [](StrictMap& map) { Paint().each_key(map); });
  };

  EXPECT_THAT(message("{litres: 1, zzzzzzzz: 1}"), HasSubstr("lining, label, note or coats"));
  EXPECT_THAT(message("{litres: 1, label: l, zzzzzzzz: 1}"),
              HasSubstr("lining, label, note or coats"));
  EXPECT_THAT(message("{litres: 1, label: []}"), HasSubstr("label: expected a text"));
}

}  // namespace
}  // namespace xkde::recipe
