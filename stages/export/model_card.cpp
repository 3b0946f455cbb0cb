#include "stages/export/model_card.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/data/language.h"
#include "core/evaluate/results/result_rows.h"
#include "core/io/file_reader.h"
#include "core/text/plural.h"
#include "stages/recipe/run_record.h"
#include "stages/report/evaluation_blocks.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// What depends on the kind of export.
struct SubjectWords {
  CardSubject subject;
  std::string_view library;  ///< of the hub; empty: none
  std::string_view tag;      ///< beside those of all; empty: none
  std::string_view what;
  std::string_view loading;
};
constexpr SubjectWords kSubjects[] = {
    {CardSubject::kFolder, "transformers", "", "All weights, as a folder of `transformers`",
     R"(```python
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # this folder, or its name on the hub
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
```

`generation_config.json` names the tokens that end an answer, so `model.generate` stops where the evaluations did.
)"},
    {CardSubject::kGguf, "", "gguf",
     "All weights, as one GGUF file with its tokenizer and chat template",
     "```sh\nllama-cli -m model.gguf\n```\n"},
    {CardSubject::kAdapter, "peft", "lora", "A LoRA adapter, to be loaded beside the base model",
     R"(```python
from peft import AutoPeftModelForCausalLM

model = AutoPeftModelForCausalLM.from_pretrained(".")  # this folder, or its name on the hub
```
)"}};

/// Every absolute path of a recipe as its last part.
void shorten_paths(Json& value) {
  for (Json& part : value) {
    if (part.is_structured()) shorten_paths(part);
    if (!part.is_string()) continue;
    const fs::path path = part.get<std::string>();
    if (path.is_absolute() && path.has_filename()) part = path.filename().string();
  }
}

/// The recipe for others: without the folders that the run wrote, and with nothing of the places
/// where its files lay. So runs in other folders have the same card.
Json told_recipe(Json recipe) {
  recipe.erase("output_dir");
  if (recipe.contains("stages")) {
    for (Json& stage : recipe["stages"]) {
      if (!stage.contains("export")) continue;
      stage["export"].erase("path");
      stage["export"].erase("adapter");
    }
  }
  shorten_paths(recipe);
  return recipe;
}

constexpr std::string_view kTags[] = {"knowledge-editing", "cross-lingual", "x-kde"};

/// A number of a stage's statistics.json and what it counts.
struct CountWords {
  std::string_view kind;
  const char* key;
  std::string_view words;
};
constexpr CountWords kCounts[] = {
    {"build_data", "samples", "samples"},
    {"build_data", "facts", "facts"},
    {"build_data", "language_pairs", "language pairs"},
    {"build_data", "removed_test_questions", "questions of the evaluations left out"},
    {"sample", "prompts", "prompts"},
    {"sample", "answers", "answers"},
    {"rank", "train_pairs", "pairs to train on"},
    {"rank", "dev_pairs", "pairs held out"},
    {"orpo", "train_pairs", "pairs"},
    {"covariance", "tokens", "tokens"},
    {"edit", "requests", "edits asked for"},
    {"edit", "written", "edits written"},
};

/// What a stage is, for a reader who does not know the recipe's words.
constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
    {"build_data", "made training samples of parallel edits"},
    {"sft", "XE-IT: supervised training on edits"},
    {"sample", "several answers to each prompt"},
    {"rank", "ranked the answers"},
    {"orpo", "TL-PO: preference training (ORPO)"},
    {"covariance", "second moments for editors"},
    {"edit", "wrote edits into weights"},
    {"quantize", "rounded the weights"}};

/// One line, and no cell or markup of Markdown.
std::string in_markdown(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    if (std::iscntrl(static_cast<unsigned char>(letter)) != 0) {
      out += ' ';
      continue;
    }
    if (std::string_view("|`*_[]<>#\\").find(letter) != std::string_view::npos) out += '\\';
    out += letter;
  }
  return out;
}

/// A YAML text. "no" is Norwegian, and false to a YAML reader.
std::string in_yaml(const std::string& text) {
  const bool is_plain = text.size() > 2 && std::isalpha(static_cast<unsigned char>(text[0])) != 0 &&
                        std::ranges::all_of(text, [](unsigned char letter) {
                          return std::isalnum(letter) != 0 || letter == '-' || letter == '_' ||
                                 letter == '.' || letter == '/';
                        });
  static constexpr std::string_view kWords[] = {"yes", "off", "true", "false", "null"};
  const bool is_word = std::ranges::find(kWords, text) != std::ranges::end(kWords);
  return is_plain && !is_word ? text
                              : Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string kind_of(const std::string& folder) { return folder.substr(folder.find('-') + 1); }

/// Adds the languages that edits of a recipe's stage are in or asked in, by their ISO codes.
void add_languages(const Json& keys, std::vector<std::string>& out) {
  if (!keys.is_structured()) return;
  for (const auto& [key, value] : keys.items()) {
    const bool names_languages = key == "edit_languages" || key == "test_languages";
    if (!names_languages || !value.is_array()) {
      add_languages(value, out);
      continue;
    }
    for (const Json& code : value) {
      const Language* language =
          code.is_string() ? find_language(code.get<std::string>()) : nullptr;
      if (language != nullptr && std::ranges::find(out, language->iso) == out.end())
        out.push_back(language->iso);
    }
  }
}

class Card {
 public:
  Card(const report::RunResults& run, const std::string& stage, const BaseModel& base,
       CardSubject subject)
      : run_(above(run, stage)), base_(base), words_(words_of(subject)) {
    for (const Json& name : run.run.at("stages")) {
      if (name == stage) break;
      stages_.push_back(name.get<std::string>());
    }
  }

  std::string text(std::string_view stored_as) const {
    std::string text = head();
    text += fmt::format("\n# {}\n\n", in_markdown(run_.name));
    text += fmt::format(
        "{} in {}, made of {} by {}. It edits what a language model knows in one language, so that "
        "the model answers with it in other languages and leaves all else as it was.\n",
        words_.what, stored_as, base_text(), program());
    text += "\n## What was done\n" + done();
    text += results();
    text += fmt::format("\n## Load\n{}", words_.loading);
    text +=
        "\n## Recipe\nEvery key with the value that the run had, but for where it wrote. Files on "
        "the machine of the run are called by their names.\n\n```json\n" +
        told_recipe(run_.run.at("recipe")).dump(2) + "\n```\n";
    return text;
  }

 private:
  /// What the run's stages above this one left: stages below may be there from a start before.
  static report::RunResults above(report::RunResults run, const std::string& stage) {
    const Json& names = run.run.at("stages");
    const auto own = std::find(names.begin(), names.end(), Json(stage));
    XKDE_CHECK(own != names.end(), InternalError, "model card: expected stage ", stage,
               " in run.json, found none");
    const auto is_below = [&](const auto& part) {
      return std::find(names.begin(), own, Json(part.stage)) == own;
    };
    std::erase_if(run.evaluations, is_below);
    std::erase_if(run.trainings, is_below);
    return run;
  }

  static const SubjectWords& words_of(CardSubject subject) {
    return *std::ranges::find(kSubjects, subject, &SubjectWords::subject);
  }

  std::string head() const {
    std::string text = "---\n";
    for (const auto& [key, value] : base_.licence) text += key + ": " + in_yaml(value) + "\n";
    if (!base_.id.empty()) text += "base_model: " + in_yaml(base_.id) + "\n";
    std::vector<std::string> languages;
    for (size_t i = 0; i < stages_.size(); ++i) add_languages(keys_of(i), languages);
    text += list("language", languages);
    if (!words_.library.empty()) text += fmt::format("library_name: {}\n", words_.library);
    text += "pipeline_tag: text-generation\n";
    std::vector<std::string> tags(std::begin(kTags), std::end(kTags));
    if (!words_.tag.empty()) tags.emplace_back(words_.tag);
    return text + list("tags", tags) + "---\n";
  }

  static std::string list(const char* key, const std::vector<std::string>& values) {
    if (values.empty()) return "";
    std::string text = concat(key, ":\n");
    for (const std::string& value : values) text += "- " + in_yaml(value) + "\n";
    return text;
  }

  std::string base_text() const {
    const std::string licence = base_.licence.empty() ? "" : base_.licence.front().second;
    const std::string name = in_markdown(base_.id.empty() ? base_.name : base_.id);
    return licence.empty() ? name + " (whose files name no licence)"
                           : name + " (licence: " + in_markdown(licence) + ")";
  }

  std::string program() const {
    const Json versions = run_.run.value("versions", Json::object());
    return fmt::format("xkde_dist {} (commit {})", versions.value("xkde_dist", "unknown"),
                       versions.value("git_commit", "unknown"));
  }

  /// The keys of a stage; null where the recipe has none.
  Json keys_of(size_t stage) const {
    const Json::json_pointer place(
        fmt::format("/recipe/stages/{}/{}", stage, kind_of(stages_[stage])));
    return run_.run.contains(place) ? run_.run.at(place) : Json();
  }

  std::string done() const {
    std::string text = "| stage | what | how much |\n| --- | --- | --- |\n";
    for (size_t i = 0; i < stages_.size(); ++i) {
      const auto* const kind =
          std::ranges::find(kKinds, kind_of(stages_[i]), [](const auto& one) { return one.first; });
      if (kind == std::ranges::end(kKinds)) continue;
      text +=
          fmt::format("| {} | {} | {} |\n", stages_[i], kind->second, fmt::join(counts(i), ", "));
    }
    const bool is_empty = text.ends_with("--- |\n");
    return is_empty ? "Nothing: these are the weights of the base model.\n" : text;
  }

  std::vector<std::string> counts(size_t stage) const {
    const std::string& name = stages_[stage];
    const Json keys = keys_of(stage);
    std::vector<std::string> parts;
    const fs::path file = run_.folder / name / kStatisticsFile;
    if (const auto told = text_if_there(file, FileOrigin::kOwn)) {
      const Json numbers = parse_json(*told, file.string());
      for (const CountWords& count : kCounts) {
        if (count.kind != kind_of(name) || !numbers.contains(count.key)) continue;
        const Json& number = numbers[count.key];
        if (number.is_number_integer())
          parts.push_back(
              fmt::format("{} {}", report::counted(number.get<int64_t>()), count.words));
      }
    }
    for (const char* key : {"method", "type"}) {
      if (keys.is_object() && keys.contains(key) && keys[key].is_string())
        parts.push_back(concat(key, " ", keys[key].get<std::string>()));
    }
    for (const report::TrainingCurves& curves : run_.trainings) {
      if (curves.stage == name) add_training(curves, keys, parts);
    }
    return parts;
  }

  static void add_training(const report::TrainingCurves& curves, const Json& keys,
                           std::vector<std::string>& parts) {
    const auto losses = curves.series.find("loss");
    if (losses == curves.series.end()) return;
    const auto& points = losses->second;
    const auto steps = std::llround(points.back().first);
    parts.push_back(fmt::format("{} {}", report::counted(steps), plural("step", steps)));
    if (const auto samples = curves.series.find("samples"); samples != curves.series.end()) {
      double sum = 0;
      for (const auto& [step, count] : samples->second) sum += count;
      const auto seen = std::llround(sum);
      parts.push_back(fmt::format("{} {} seen", report::counted(seen), plural("sample", seen)));
    }
    parts.push_back(
        fmt::format("loss {:.4f} → {:.4f}", points.front().second, points.back().second));
    const bool has_adapter = keys.is_object() && keys.contains("lora") && keys["lora"].is_object();
    parts.emplace_back(has_adapter ? "a LoRA adapter" : "all weights");
  }

  std::string results() const {
    std::string text;
    const std::vector<report::EvaluationBlock> blocks =
        report::evaluation_blocks(std::span(&run_, 1));
    for (const report::EvaluationBlock& block : blocks) {
      for (const int64_t size : block.sizes) text += table(block, size);
    }
    if (text.empty()) return "";
    return "\n## Results\nPercent, but for perplexities, of which less is better. A column is the "
           "model at that point of the run.\n" +
           text;
  }

  /// Empty where no evaluation has a value of that size.
  static std::string table(const report::EvaluationBlock& block, int64_t size) {
    std::string lines;
    for (const LanguagePair& pair : block.pairs) {
      for (const std::string& metric : report::metrics_of(block, /*parts=*/false)) {
        std::string cells;
        bool has_value = false;
        for (const std::string& label : block.labels) {
          const ResultRow* row = block.find(label, size, pair, metric);
          const bool is_there = row != nullptr && row->value;
          has_value |= is_there;
          cells += concat(" ", is_there ? value_text(*row->value, metric) : "–", " |");
        }
        if (has_value)
          lines += fmt::format("| {} | {} |{}\n", pair_text(pair), in_markdown(metric), cells);
      }
    }
    if (lines.empty()) return "";
    std::string heads, rule;
    for (const std::string& label : block.labels) {
      heads += concat(" ", in_markdown(label), " |");
      rule += " ---: |";
    }
    const std::string edits = size > 1 ? ", " + report::counted(size) + " edits" : "";
    return fmt::format("\n**{}{}**\n\n| {} | metric |{}\n| --- | --- |{}\n{}",
                       in_markdown(block.title), edits,
                       block.asks_edits() ? "edit → test" : "language", heads, rule, lines);
  }

  report::RunResults run_;
  const BaseModel& base_;
  const SubjectWords& words_;
  std::vector<std::string> stages_;  ///< the folders of the stages above
};

}  // namespace

std::string model_card(const report::RunResults& run, const std::string& stage,
                       const BaseModel& base, CardSubject subject, std::string_view stored_as) {
  return Card(run, stage, base, subject).text(stored_as);
}

}  // namespace xkde::recipe
