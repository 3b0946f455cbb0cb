#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmark_source.h"
#include "core/data/found_text.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "core/text/did_you_mean.h"

namespace xkde {

namespace {

namespace fs = std::filesystem;

constexpr const char* kFactsFile = "facts.jsonl";
constexpr const char* kByLanguage = "an object {language: ...}";
/// More lines than this help nobody.
constexpr size_t kMostMistakes = 20;

/// What is wrong with a file, so that it is told at once.
class Mistakes {
 public:
  explicit Mistakes(std::string file) : file_(std::move(file)) {}

  void at_line(int64_t line) { place_ = concat(file_, ": line ", line); }
  const std::string& place() const { return place_; }
  /// Of the value at `key` of the line; of the whole line where that is empty.
  void add(std::string_view key, std::string_view what) {
    add_text(concat(place_, ": ", key, key.empty() ? "" : ": ", what));
  }
  void add_text(std::string text) {
    if (count_ < kMostMistakes) text_.append(count_ == 0 ? "" : "\n").append(text);
    ++count_;
  }
  size_t count() const { return count_; }

  void throw_if_any() const {
    if (count_ == 0) return;
    if (count_ == 1) throw DataError(text_);
    const std::string rest =
        count_ > kMostMistakes ? concat("\nand ", count_ - kMostMistakes, " more") : "";
    throw DataError(concat(file_, ": ", count_, " errors\n", text_, rest));
  }

 private:
  std::string file_, place_, text_;
  size_t count_ = 0;
};

/// A text of the file in quotes, fit for a line of a message.
std::string shown(std::string_view text) {
  constexpr size_t kMostBytes = 60;
  return Json(text.substr(0, kMostBytes)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// "; did you mean 'de'?" of "German" and of "de-AT".
std::string language_hint(std::string_view code) {
  const Language* meant = find_language(code.substr(0, code.find_first_of("-_")));
  std::vector<std::string> names;
  for (const Language& language : languages()) names.push_back(language.english_name);
  const std::string name = closest(code, names);
  for (const Language& language : languages()) {
    if (meant == nullptr && language.english_name == name) meant = &language;
  }
  return meant == nullptr ? "" : concat("; did you mean '", meant->iso, "'?");
}

/// Reads one line after another. Where a line has mistakes, what it gives is of no use.
class FactParser {
 public:
  explicit FactParser(Mistakes& mistakes) : mistakes_(mistakes) {}

  EditRecord record(const Json& line) {
    constexpr std::string_view kKeys[] = {"id",      "subject",    "question",
                                          "answer",  "old_answer", "rephrase",
                                          "aliases", "locality",   "portability"};
    EditRecord record;
    if (!line.is_object()) {
      mistakes_.add("", concat("expected an object, found ", found_text(&line)));
      return record;
    }
    check_keys(line, kKeys, "");
    for (const Entry& entry : by_language(line, "question", /*is_required=*/true))
      record.sides[entry.language->iso].src = text(entry.key, entry.value);
    if (record.sides.empty()) return record;
    read_answers(line, record);
    read_subject(line, record);
    for_each_side(line, "old_answer", record, [&](EditSide& side, const Entry& entry) {
      side.old_answers.push_back(text(entry.key, entry.value));
    });
    for_each_side(line, "rephrase", record,
                  [&](EditSide& side, const Entry& entry) { side.rephrases = texts(entry); });
    for_each_side(line, "aliases", record,
                  [&](EditSide& side, const Entry& entry) { side.aliases = texts(entry); });
    read_probes(line, "locality", ProbeKind::kLocality, record);
    read_probes(line, "portability", ProbeKind::kPortability, record);
    for (auto& [iso, side] : record.sides) note_absent(side);
    return record;
  }

  std::string id(const Json& line) {
    const Json* value = member(line, "id");
    return value == nullptr ? std::string() : text("id", *value);
  }

 private:
  /// A value of one language and where it stands: "rephrase.en".
  struct Entry {
    const Language* language;
    std::string key;
    const Json& value;
  };

  static const Json* member(const Json& object, std::string_view key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
  }

  void expected(std::string_view key, std::string_view what, const Json* found) {
    mistakes_.add(key, concat("expected ", what, ", found ", found_text(found)));
  }

  void check_keys(const Json& object, std::span<const std::string_view> known,
                  std::string_view place) {
    for (const auto& [key, value] : object.items()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      mistakes_.add(
          place, fmt::format("expected the keys {}, found {}{}", fmt::join(known, ", "), shown(key),
                             did_you_mean(key, {known.begin(), known.end()})));
    }
  }

  /// Empty where it is a mistake.
  std::string text(std::string_view key, const Json& value) {
    if (value.is_string() && !is_blank(value.get_ref<const std::string&>()))
      return value.get<std::string>();
    expected(key, "a text that is not blank", &value);
    return {};
  }

  std::vector<std::string> texts(const Entry& entry) {
    std::vector<std::string> texts;
    if (!entry.value.is_array()) expected(entry.key, "a list of texts", &entry.value);
    for (size_t i = 0; entry.value.is_array() && i < entry.value.size(); ++i)
      texts.push_back(text(concat(entry.key, ".", i), entry.value[i]));
    return texts;
  }

  std::vector<Entry> by_language(const Json& line, std::string_view key, bool is_required) {
    std::vector<Entry> entries;
    const Json* values = member(line, key);
    if (values == nullptr && !is_required) return entries;
    if (values == nullptr || !values->is_object()) {
      expected(key, kByLanguage, values);
      return entries;
    }
    if (is_required && values->empty())
      mistakes_.add(key, "expected at least one language, found none");
    std::set<const Language*> seen;
    for (const auto& [code, value] : values->items()) {
      const Language* language = find_language(code);
      if (language == nullptr) {
        mistakes_.add(key, concat("expected language codes such as en, de and zh, found ",
                                  shown(code), language_hint(code)));
      } else if (!seen.insert(language).second) {
        mistakes_.add(key, concat("expected each language once, found ", language->english_name,
                                  " under two codes"));
      } else {
        entries.push_back({language, concat(key, ".", code), value});
      }
    }
    return entries;
  }

  /// Calls `read(side, entry)` for each language of `key`, which must be one of the question's.
  template <typename Read>
  void for_each_side(const Json& line, std::string_view key, EditRecord& record, const Read& read) {
    for (const Entry& entry : by_language(line, key, /*is_required=*/false)) {
      const auto side = record.sides.find(entry.language->iso);
      if (side != record.sides.end()) {
        read(side->second, entry);
        continue;
      }
      std::vector<std::string> codes;
      for (const auto& [iso, known] : record.sides) codes.push_back(iso);
      mistakes_.add(entry.key, fmt::format("expected a language of the question ({}), found {}",
                                           fmt::join(codes, ", "), entry.language->iso));
    }
  }

  void read_answers(const Json& line, EditRecord& record) {
    std::set<const EditSide*> answered;
    const size_t before = mistakes_.count();
    if (member(line, "answer") == nullptr) expected("answer", kByLanguage, nullptr);
    for_each_side(line, "answer", record, [&](EditSide& side, const Entry& entry) {
      side.alt = text(entry.key, entry.value);
      answered.insert(&side);
    });
    if (answered.empty() && mistakes_.count() > before) return;
    for (const auto& [iso, side] : record.sides) {
      if (!answered.contains(&side))
        mistakes_.add("answer", concat("expected an answer in ", iso,
                                       ", a language of the question, found none"));
    }
  }

  /// One for all languages, or each its own.
  void read_subject(const Json& line, EditRecord& record) {
    const Json* subject = member(line, "subject");
    if (subject == nullptr) return;
    if (!subject->is_string() && !subject->is_object())
      return expected("subject", "a text or an object {language: text}", subject);
    if (subject->is_string()) {
      const std::string name = text("subject", *subject);
      for (auto& [iso, side] : record.sides) side.subject = name;
      return;
    }
    for_each_side(line, "subject", record, [&](EditSide& side, const Entry& entry) {
      side.subject = text(entry.key, entry.value);
    });
  }

  void read_probes(const Json& line, std::string_view key, ProbeKind kind, EditRecord& record) {
    for_each_side(line, key, record, [&](EditSide& side, const Entry& entry) {
      if (!entry.value.is_array())
        return expected(entry.key, "a list of objects {question, answer}", &entry.value);
      for (size_t i = 0; i < entry.value.size(); ++i)
        side.probes.push_back(probe(entry.value[i], kind, concat(entry.key, ".", i), i));
    });
  }

  Probe probe(const Json& json, ProbeKind kind, const std::string& place, size_t position) {
    constexpr std::string_view kKeys[] = {"question", "answer"};
    Probe probe{
        .kind = kind, .question = {}, .answers = {}, .position = static_cast<int64_t>(position)};
    if (!json.is_object()) {
      expected(place, "an object {question, answer}", &json);
      return probe;
    }
    check_keys(json, kKeys, place);
    const auto part = [&](std::string_view key) {
      const Json* value = member(json, key);
      if (value != nullptr) return text(concat(place, ".", key), *value);
      expected(concat(place, ".", key), "a text that is not blank", nullptr);
      return std::string();
    };
    probe.question = part("question");
    probe.target = part("answer");
    probe.answers = {{probe.target}};
    return probe;
  }

  /// Says what a side goes without, so that a run tells what it did not ask.
  static void note_absent(EditSide& side) {
    if (side.rephrases.empty()) side.left_out.emplace_back("rephrase: none");
    if (side.first_probe(/*locality=*/true) == nullptr)
      side.left_out.emplace_back("locality: none");
    if (side.first_probe(/*locality=*/false) == nullptr)
      side.left_out.emplace_back("portability: none");
  }

  Mistakes& mistakes_;
};

std::vector<fs::path> all_files(const fs::path& data) {
  if (!is_folder(data, FileOrigin::kInput)) return {data};
  const fs::path file = data / kFactsFile;
  XKDE_CHECK(is_there(file, FileOrigin::kInput), MissingInputError, data.string(), ": no file ",
             kFactsFile, "; name the file itself where it is called otherwise");
  return {file};
}

std::vector<fs::path> files(const fs::path& data, const Language&, const Language&, Split) {
  return all_files(data);
}

/// A fact a line. Either all lines are taken or none.
EditFile read(const fs::path& path) {
  Mistakes mistakes(path.string());
  FactParser parser(mistakes);
  EditFile file{.path = path};
  std::map<std::string, int64_t> lines_of_ids;
  LineReader lines(path, FileOrigin::kInput);
  for (std::string line; lines.next(line);) {
    if (is_blank(line)) continue;
    mistakes.at_line(lines.number());
    if (file.rows.empty() && line[line.find_first_not_of(" \t")] == '[') {
      mistakes.add("", "expected one JSON object a line, found the beginning of a list");
      break;
    }
    Json json;
    try {
      json = parse_json(line, mistakes.place());
    } catch (const DataError& error) {
      mistakes.add_text(error.what());
      continue;
    }
    EditRecord record = parser.record(json);
    record.index = std::ssize(file.rows);
    std::string id = parser.id(json);
    const auto [known, is_new] = lines_of_ids.emplace(id, lines.number());
    if (!id.empty() && !is_new)
      mistakes.add(
          "id", concat("expected one that no other line has, found that of line ", known->second));
    file.row_ids.push_back(std::move(id));
    file.rows.push_back(std::move(record));
  }
  mistakes.throw_if_any();
  XKDE_CHECK(!file.rows.empty(), DataError, path.string(), ": expected a fact a line, found none");
  return file;
}

}  // namespace

/// Facts of one's own, in any languages: docs/recipes.md has the form of a line.
extern const BenchmarkSource kFacts;
constinit const BenchmarkSource kFacts{.name = "facts",
                                       .is_evaluated = true,
                                       .gives_demonstrations = true,
                                       .lists_questions = true,
                                       .files = files,
                                       .all_files = all_files,
                                       .read = read};

}  // namespace xkde
