#include "stages/recipe/yaml_reader.h"

#include <ctime>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/stages/recipe/recipe_text.h"
#include "tests/support/temp_folder.h"

namespace xkde::recipe {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Kind = YamlNode::Kind;

YamlPtr read(const std::string& text) {
  RecipeErrors errors("f");
  YamlPtr root = read_yaml(text, errors);
  errors.throw_if_any();
  return root;
}

/// What is wrong with `text`, found within the processor time that a user notices.
std::string fault_of(const std::string& text) {
  const std::clock_t start = std::clock();
  std::string message = "no error";
  try {
    read(text);
  } catch (const ConfigError& error) {
    message = error.what();
  }
  // 1 MiB takes yaml-cpp up to 0.8 s alone; sanitizers multiply that.
  EXPECT_LT(std::clock() - start, 20 * CLOCKS_PER_SEC);
  return message;
}

std::string repeated(const std::string& part, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += part;
  return text;
}

TEST(YamlReader, KeepsKeysValuesAndTheirPlaces) {
  const YamlPtr root = read("é: {a: 1, b: \"x y\"}\nlist:\n  - null\n  - [1, 2]\nlast:\n");

  const YamlNode& map = *root->find("é")->value;
  EXPECT_EQ(map.find("b")->place.column, 11);
  EXPECT_EQ(map.find("b")->value->place.column, 14);
  EXPECT_EQ(map.find("a")->value->kind, Kind::kPlain);
  EXPECT_EQ(map.find("b")->value->kind, Kind::kQuoted);
  EXPECT_EQ(map.find("b")->value->text, "x y");
  const YamlNode& list = *root->find("list")->value;
  EXPECT_EQ(list.items.at(0)->kind, Kind::kNull);
  EXPECT_EQ(list.items.at(1)->items.at(1)->place.line, 4);
  EXPECT_EQ(list.items.at(1)->items.at(1)->place.column, 9);
  EXPECT_EQ(root->find("last")->value->place.line, 5);
  EXPECT_EQ(root->find("other"), nullptr);
}

TEST(YamlReader, AcceptsCommentsCrLfByteOrderMarkAndDirectives) {
  EXPECT_EQ(read("\xEF\xBB\xBF# x\r\na: 1\r\nb:\r\n  c: 2\r\n")->find("b")->place.line, 3);
  EXPECT_EQ(read("%YAML 1.2\n---\na: 1\n...\n")->find("a")->value->text, "1");
}

TEST(YamlReader, AliasSharesTheValueOfItsAnchor) {
  const YamlPtr root = read("a: &x [1, 2]\nb: *x\n");

  EXPECT_EQ(root->find("a")->value, root->find("b")->value);
}

TEST(YamlReader, RefusesRepeatedKeysOnEveryLevel) {
  EXPECT_EQ(fault_of("a: 1\nb: 2\na: 3\n"),
            "f:3:1: a: expected each key once, found it again (first in line 1)");
  EXPECT_EQ(fault_of("x:\n  - {k: 1, k: 1}\n"),
            "f:2:12: x.0.k: expected each key once, found it again (first in line 2)");
  EXPECT_THAT(fault_of("a: 1\n\"a\": 2\n"), HasSubstr("f:2:1: a: expected each key once"));
}

TEST(YamlReader, RefusesMergeKeysTagsAndOddKeys) {
  EXPECT_THAT(fault_of("a: &x {k: 1}\nb:\n  <<: *x\n"),
              StartsWith("f:3:3: b.<<: expected a key, found a merge key"));
  EXPECT_EQ(fault_of("a: !!str 1\n"),
            "f:1:4: a: expected a value without a tag, found tag:yaml.org,2002:str");
  EXPECT_THAT(fault_of("a: ! 1\n"), HasSubstr("expected a value without a tag, found !"));
  EXPECT_THAT(fault_of("a: &q ! 1\n"), HasSubstr("expected a value without a tag, found !"));
  EXPECT_THAT(fault_of("a: !python/object {k: 1}\n"), HasSubstr("expected a value without a tag"));
  EXPECT_THAT(fault_of("? [1, 2]\n: 3\n"),
              HasSubstr("f:1:3: expected a text as key, found a list or mapping"));
  EXPECT_THAT(fault_of("~: 3\n"), HasSubstr("expected a text as key, found nothing"));
}

TEST(YamlReader, CollectsWhatItCanReadPast) {
  EXPECT_EQ(fault_of("a: !!int 1\nb: 2\nb: 3\n<<: {}\n"),
            "f: 3 errors\n"
            "f:1:4: a: expected a value without a tag, found tag:yaml.org,2002:int\n"
            "f:3:1: b: expected each key once, found it again (first in line 2)\n"
            "f:4:1: <<: expected a key, found a merge key, which is not supported; write the keys "
            "out");
}

TEST(YamlReader, RefusesAliasesInsideTheirOwnAnchor) {
  EXPECT_EQ(fault_of("a: &x [*x]\n"),
            "f:1:8: a.0: expected a finished value, found an alias inside its own anchor");
  EXPECT_THAT(fault_of("a: &x {b: {c: [1, *x]}}\n"), HasSubstr("a.b.c.1: expected a finished"));
  EXPECT_THAT(fault_of("a: *nope\n"), HasSubstr("the referenced anchor is not defined"));
}

TEST(YamlReader, RefusesAliasBombs) {
  std::string tens = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (int i = 1; i <= 6; ++i) {
    const std::string alias = concat("*a", i - 1, ", ");
    tens += concat("a", i, ": &a", i, " [", repeated(alias, 10), "]\n");
  }
  const std::string many = "a: &x 1\nb: [" + repeated("*x, ", 65) + "]\n";

  EXPECT_THAT(fault_of(tens), HasSubstr("expected at most 20000 values, found more"));
  EXPECT_THAT(fault_of(many), HasSubstr("f:2:261: b.64: expected at most 64 aliases, found more"));
}

TEST(YamlReader, RefusesDepth) {
  EXPECT_THAT(fault_of("a: " + std::string(600, '[') + std::string(600, ']')),
              HasSubstr("f:1:35: a."));
  EXPECT_THAT(fault_of("a: " + std::string(600, '[') + std::string(600, ']')),
              HasSubstr("expected at most 32 levels, found more"));
  EXPECT_THAT(fault_of("a: " + repeated("{a: ", 600) + "1" + std::string(600, '}')),
              HasSubstr("expected at most 32 levels"));
  EXPECT_THAT(fault_of(std::string(size_t{1} << 20, '[')), StartsWith("f:1:1: expected "));
  std::string chain = "a0: &a0 [1]\n";
  for (int i = 1; i <= 40; ++i) chain += concat("a", i, ": &a", i, " [*a", i - 1, "]\n");
  EXPECT_THAT(fault_of(chain), HasSubstr("expected at most 32 levels"));
}

TEST(YamlReader, RefusesHugeTextsFilesAndLists) {
  EXPECT_EQ(fault_of("a: " + std::string(1000000, 'x')),
            "f:1:4: a: expected a text of at most 4096 bytes, found 1000000");
  EXPECT_EQ(fault_of("a: " + std::string(size_t{1} << 20, 'x')),
            "f:1:1: expected at most 1048576 bytes, found 1048579");
  EXPECT_THAT(fault_of("a: [" + repeated("1,", 400000) + "1]"),
              HasSubstr("expected at most 20000 values"));
}

TEST(YamlReader, RefusesBytesThatAreNoText) {
  EXPECT_EQ(fault_of(std::string("a: 1\nb: x\0y\n", 12)),
            "f:2:5: expected printable text, found the control character byte 0x00");
  EXPECT_EQ(fault_of("a: \xFF\n"), "f:1:4: expected UTF-8 text, found byte 0xff");
  EXPECT_EQ(fault_of("é: \xC3\n"), "f:1:4: expected UTF-8 text, found byte 0xc3");
  EXPECT_THAT(fault_of("a: \xC0\xAF\n"), HasSubstr("found byte 0xc0"));
  EXPECT_THAT(fault_of("a: \xED\xA0\x80\n"), HasSubstr("found byte 0xed"));
  EXPECT_THAT(fault_of("a: \xF4\x90\x80\x80\n"), HasSubstr("found byte 0xf4"));
  EXPECT_THAT(fault_of("a: \xE2\x82"), HasSubstr("found byte 0xe2"));
  EXPECT_THAT(fault_of("a: \x1B[31m\n"), HasSubstr("control character byte 0x1b"));
  EXPECT_THAT(fault_of("a: \xC2\x9B\n"), HasSubstr("control character byte 0x9b"));
  EXPECT_THAT(fault_of("a: 1\rb: 2\n"), HasSubstr("control character byte 0x0d"));
  EXPECT_THAT(fault_of(std::string("\xFF\xFE"
                                   "a\0:\0",
                                   6)),
              HasSubstr("expected UTF-8 text"));
}

TEST(YamlReader, RefusesNulThatIsWrittenAsAnEscape) {
  EXPECT_EQ(fault_of("a: \"x\\0y\"\n"),
            "f:1:4: a: expected printable text, found the character NUL");
}

TEST(YamlReader, RefusesTabsInTheIndentation) {
  EXPECT_EQ(fault_of("a:\n\tb: 1\n"), "f:2:1: expected spaces as indentation, found a tab");
  EXPECT_EQ(fault_of("a:\n  \tb: 1\n"), "f:2:3: expected spaces as indentation, found a tab");
  EXPECT_EQ(read("a:\t1\nb: 2\n")->find("a")->value->text, "1");
}

TEST(YamlReader, RefusesWhatIsNoSingleMapping) {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "~\n"})
    EXPECT_EQ(fault_of(text), "f:1:1: expected a recipe, found an empty file") << text;
  EXPECT_THAT(fault_of("- a\n"), HasSubstr("f:1:1: expected a mapping (key: value) at the top"));
  EXPECT_THAT(fault_of("hello\n"), HasSubstr("at the top level, found hello"));
  EXPECT_EQ(fault_of("a: 1\n---\nb: 2\n"), "f:2:1: expected one document, found a second one");
  EXPECT_THAT(fault_of("a: 1\n...\nb: 2\n"), HasSubstr("f:3:1: expected one document"));
  EXPECT_THAT(fault_of("a: 1\n]\n"), HasSubstr("f:2:1: expected valid YAML"));
}

TEST(YamlReader, SaysWhereTheSyntaxBreaks) {
  EXPECT_THAT(fault_of("a: 1\n  b: 2\n"), HasSubstr("f:2:4: "));
  EXPECT_THAT(fault_of("a: -25:\n"), HasSubstr("needs quotes"));
  EXPECT_THAT(fault_of("a: @x\n"), HasSubstr("f:1:4: a: expected valid YAML, found unknown token"));
  EXPECT_THAT(fault_of("a: [1, 2\nb: 3\n"), HasSubstr("end of sequence flow not found"));
  EXPECT_EQ(fault_of("a: \"x\nb: 2\n"), "f:1:4: a: expected a closing quote, found none");
  EXPECT_EQ(fault_of("a: 'it''s\nb: 2\n"), "f:1:4: a: expected a closing quote, found none");
  EXPECT_EQ(read("a: 'it''s'\nb: \"\\\"\"\n")->find("b")->value->text, "\"");
}

TEST(YamlReader, MessagesStayOnOneLine) {
  const std::string message = fault_of("a: &x \"1\\n2\"\n\"k\\n\\e[0m\": !!int 1\n");

  EXPECT_THAT(message, Not(HasSubstr("\n")));
  EXPECT_THAT(message, HasSubstr("k\\n\\x1b[0m"));
}

TEST(YamlReader, OpensFilesOnlyUpToTheLimit) {
  const auto path = std::filesystem::temp_directory_path() / "xkde_no_such_recipe.yaml";

  EXPECT_THROW(read_recipe_text(path), MissingInputError);
  EXPECT_THROW(read_recipe_text(std::filesystem::temp_directory_path()), MissingInputError);
  EXPECT_THROW(read_recipe_text("/dev/zero"), MissingInputError);
  const test::TempFolder folder;
  const auto recipe = folder.write("r.yaml", "seed: 1234\n");
  EXPECT_EQ(read_recipe_text(recipe, 11), "seed: 1234\n");
  EXPECT_THROW(read_recipe_text(recipe, 10), ConfigError);
}

TEST(YamlValue, ReadsScalarsAsTheyStandAndLists) {
  RecipeErrors errors("f");
  const auto value = [&errors](const std::string& text) {
    return read_yaml_value(text, {0, 1}, "k", errors);
  };

  EXPECT_EQ(value("-25:")->text, "-25:");
  EXPECT_EQ(value("a: b #c")->text, "a: b #c");
  EXPECT_EQ(value("")->kind, Kind::kNull);
  EXPECT_EQ(value("null")->kind, Kind::kNull);
  EXPECT_EQ(value("'it''s'")->text, "it's");
  EXPECT_EQ(value("\"1\"")->kind, Kind::kQuoted);
  EXPECT_EQ(value("[es, \"fr\"]")->items.at(1)->text, "fr");
  EXPECT_EQ(value("[es, [1]]")->items.at(1)->items.at(0)->place.line, 0);
  EXPECT_TRUE(errors.empty());
}

TEST(YamlValue, RefusesMappingsAndBrokenLists) {
  for (const char* text : {"{a: 1}", "[a, b", "\"a", "[1] 2", "[&x 1, !!int 2]"}) {
    RecipeErrors errors("f");

    EXPECT_EQ(read_yaml_value(text, {0, 1}, "k", errors)->kind, Kind::kNull) << text;
    try {
      errors.throw_if_any();
      ADD_FAILURE() << text;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), StartsWith("command line: k: expected a scalar or a list, found "));
    }
  }
}

}  // namespace
}  // namespace xkde::recipe
