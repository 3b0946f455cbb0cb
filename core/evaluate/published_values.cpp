#include "core/evaluate/published_values.h"

#include <algorithm>

#include "core/data/language.h"

namespace xkde {
namespace {

constexpr PublishedFamily kLlama2[] = {PublishedFamily::kLlama2_7b};
constexpr PublishedFamily kChineseLlama2[] = {PublishedFamily::kChineseLlama2_7b};
// The tables name LLaMA, the settings Llama-2-7b.
constexpr PublishedFamily kEitherLlama[] = {PublishedFamily::kLlama7b, PublishedFamily::kLlama2_7b};

constexpr std::string_view kXkdePaper = "X-KDE, arXiv 2502.14645";
constexpr std::string_view kKnowEditPaper = "EasyEdit, github.com/zjunlp/EasyEdit";
constexpr std::string_view kRemakePaper = "ReMaKE, arXiv 2312.13040";
constexpr std::string_view kBiZsrePaper = "Bi-ZsRE, arXiv 2309.08952";

constexpr std::string_view kAll = "en cs de nl es fr pt ru th tr vi zh";
constexpr std::string_view kOthers = "cs de nl es fr pt ru th tr vi zh";
constexpr std::string_view kTwice = "reliability portability reliability portability";
constexpr std::string_view kEnZh = "en en zh zh";

// X-KDE: Bi-ZsRE, edited in English.
constexpr PublishedSeries kXkdeBiZsrePrompts[] = {
    {"ike", kTwice, "en", kEnZh, {99.59, 71.27, 67.83, 58.97}},
    {"lte", kTwice, "en", kEnZh, {99.91, 77.40, 76.86, 67.49}},
    {"xkde", kTwice, "en", kEnZh, {99.93, 76.41, 94.81, 77.43}},
};
constexpr PublishedSeries kXkdeBiZsreEditors[] = {
    {"ft_l", kTwice, "en", kEnZh, {53.51, 53.31, 51.81, 55.14}},
    {"rome", kTwice, "en", kEnZh, {96.09, 58.87, 49.94, 51.81}},
    {"memit", kTwice, "en", kEnZh, {95.21, 57.77, 52.05, 52.19}},
};
// X-KDE: MzsRE.
constexpr PublishedSeries kXkdeMzsrePrompts[] = {
    {"ike lte xkde", "reliability", "en", "en", {99.65, 100.00, 99.93}},
};
constexpr PublishedSeries kXkdeMzsreEditors[] = {{"ft_m", "reliability", "en", "en", {99.96}}};

// EasyEdit: KnowEdit. What shows an edit in the prompt is scored as in protocol 6.1.
constexpr std::string_view kWeights = "rome memit ft_l ft_m";
constexpr std::string_view kPrompted = "reliability portability locality fluency";
constexpr PublishedSeries kRecentPrompts[] = {
    {"ice", kPrompted, "en", "en", {60.74, 36.93, 33.34, 531.01}},
};
constexpr PublishedSeries kRecentEditors[] = {
    {kWeights, "reliability", "en", "en", {97.18, 97.05, 55.75, 100.00}},
    {kWeights, "portability", "en", "en", {55.25, 56.37, 40.86, 65.44}},
    {kWeights, "locality", "en", "en", {54.77, 52.15, 43.70, 64.33}},
    {kWeights, "fluency", "en", "en", {579.66, 573.89, 529.24, 574.32}},
};
constexpr PublishedSeries kZsrePrompts[] = {
    {"ice", kPrompted, "en", "en", {66.01, 63.94, 23.14, 541.14}},
};
constexpr PublishedSeries kZsreEditors[] = {
    {kWeights, "reliability", "en", "en", {96.77, 95.37, 53.93, 99.98}},
    {kWeights, "portability", "en", "en", {52.63, 52.67, 45.64, 60.31}},
    {kWeights, "locality", "en", "en", {53.67, 48.32, 73.42, 89.78}},
    {kWeights, "fluency", "en", "en", {573.75, 563.31, 493.01, 552.26}},
};
constexpr PublishedSeries kWikiBioPrompts[] = {
    {"ice", "reliability locality fluency", "en", "en", {95.53, 47.90, 632.92}},
};
constexpr PublishedSeries kWikiBioEditors[] = {
    {kWeights, "reliability", "en", "en", {96.08, 94.40, 66.33, 100.00}},
    {kWeights, "locality", "en", "en", {62.74, 61.51, 79.86, 93.38}},
    {kWeights, "fluency", "en", "en", {617.69, 616.65, 606.95, 612.69}},
};
constexpr PublishedSeries kCounterfactPrompts[] = {
    {"ice", kPrompted, "en", "en", {69.83, 45.32, 32.38, 547.22}},
};
constexpr PublishedSeries kCounterfactEditors[] = {
    {kWeights, "reliability", "en", "en", {98.57, 98.05, 45.15, 100.00}},
    {kWeights, "portability", "en", "en", {55.92, 58.56, 33.60, 74.36}},
    {kWeights, "locality", "en", "en", {51.97, 46.62, 50.48, 76.76}},
    {kWeights, "fluency", "en", "en", {584.04, 575.96, 528.26, 575.62}},
};
// EasyEdit: the 1,037 English rows of ZsRE that Bi-ZsRE translates.
constexpr std::string_view kFour = "reliability generality locality portability";
constexpr PublishedSeries kZsre1037Prompts[] = {
    {"ike", kFour, "en", "en", {100.00, 99.98, 69.19, 67.56}},
};
constexpr PublishedSeries kZsre1037Editors[] = {
    {"rome", kFour, "en", "en", {92.45, 87.04, 99.63, 57.47}},
    {"memit", kFour, "en", "en", {92.94, 85.97, 99.49, 60.64}},
};

// ReMaKE: MzsRE, single edits.
constexpr PublishedSeries kMzsreRivals[] = {
    {"rome",
     "em.reliability",
     "en",
     kAll,
     {68.91, 10.77, 16.02, 15.48, 12.25, 10.09, 12.11, 0.13, 0.13, 1.21, 4.31, 1.21}},
    {"ike",
     "em.reliability",
     "en",
     kAll,
     {100, 50.34, 51.49, 44.26, 36.45, 43.39, 38.09, 3.86, 3.18, 39.44, 40.02, 6.36}},
    {"rome",
     "em.generality",
     "en",
     kAll,
     {56.53, 10.90, 14.40, 11.96, 11.71, 8.34, 9.56, 0.13, 0.00, 1.48, 4.17, 0.81}},
    {"ike",
     "em.generality",
     "en",
     kAll,
     {98.65, 49.76, 51.49, 43.88, 35.39, 42.91, 37.61, 3.38, 3.18, 39.15, 39.34, 5.98}},
    {"rome",
     "em.locality",
     "en",
     kAll,
     {92.87, 84.25, 87.48, 87.08, 88.83, 88.56, 86.54, 84.39, 97.31, 87.21, 95.02, 91.92}},
    {"ike",
     "em.locality",
     "en",
     kAll,
     {38.48, 0.39, 5.69, 1.54, 1.74, 0.48, 0.48, 0.19, 1.35, 0.96, 0.96, 0.96}},
    {"ike",
     "em.portability",
     "en",
     kAll,
     {17.26, 1.54, 4.63, 3.28, 1.93, 2.51, 2.89, 0.10, 0.10, 0.87, 1.74, 0.10}},
};
// ... and with the fact found among all 743 (protocol 6.7).
constexpr PublishedSeries kMzsreRemake[] = {
    {"remake-zero",
     "em.reliability",
     "en",
     kAll,
     {96.37, 61.10, 64.87, 54.91, 52.62, 53.43, 54.51, 27.73, 5.92, 45.22, 48.32, 25.44}},
    {"remake-few",
     "em.reliability",
     "en",
     kAll,
     {100, 75.10, 81.70, 72.68, 68.10, 73.35, 71.20, 62.58, 32.44, 70.79, 68.37, 54.78}},
    {"remake-zero",
     "em.generality",
     "en",
     kAll,
     {86.81, 57.60, 62.85, 53.16, 50.34, 50.74, 51.01, 24.50, 6.06, 42.66, 46.03, 23.01}},
    {"remake-few",
     "em.generality",
     "en",
     kAll,
     {98.25, 73.76, 80.62, 71.60, 67.97, 71.60, 70.66, 62.45, 32.97, 70.12, 67.83, 53.57}},
    {"remake-few",
     "em.locality",
     "en",
     kAll,
     {99.46, 98.25, 99.60, 99.73, 98.25, 98.92, 99.19, 97.44, 95.29, 97.04, 97.71, 93.94}},
    {"remake-zero",
     "em.portability",
     "en",
     kAll,
     {34.59, 12.11, 18.30, 13.73, 11.71, 12.25, 12.92, 3.50, 0.27, 5.38, 9.83, 3.63}},
    {"remake-few",
     "em.portability",
     "en",
     kAll,
     {31.49, 7.67, 11.31, 9.02, 8.61, 8.08, 9.83, 5.79, 0.67, 3.50, 5.25, 5.92}},
    {"remake-few",
     "em.reliability",
     kOthers,
     "en",
     {87.89, 90.17, 87.21, 86.41, 86.41, 86.68, 82.91, 49.26, 82.10, 84.66, 72.14}},
    {"remake-few",
     "em.generality",
     kOthers,
     "en",
     {87.75, 88.96, 86.00, 84.66, 84.93, 85.60, 82.10, 48.99, 80.35, 84.25, 69.99}},
    {"remake-few",
     "em.locality",
     kOthers,
     "en",
     {98.79, 98.38, 98.79, 98.52, 98.79, 98.92, 97.98, 97.17, 97.31, 98.79, 99.19}},
    {"remake-few",
     "em.portability",
     kOthers,
     "en",
     {17.50, 21.53, 19.92, 18.71, 19.11, 19.25, 13.19, 13.06, 17.77, 19.65, 16.15}},
    {"remake-few",
     "em.reliability",
     kOthers,
     kOthers,
     {99.87, 100, 99.87, 99.87, 99.73, 100, 99.60, 99.46, 99.73, 92.46, 93.27}},
};

// Bi-ZsRE: reliability where edit and test language are one, the others in both.
constexpr std::string_view kF1 =
    "f1.reliability f1.generality f1.generality f1.locality f1.locality f1.portability "
    "f1.portability";
constexpr std::string_view kEm =
    "em.reliability em.generality em.generality em.locality em.locality em.portability "
    "em.portability";
constexpr std::string_view kFromEn = "en en zh en zh en zh", kFromZh = "zh en zh en zh en zh";
constexpr PublishedSeries kBiZsre[] = {
    {"ike", kF1, "en", kFromEn, {100, 99.69, 92.28, 56.35, 41.59, 45.72, 37.04}},
    {"ike", kEm, "en", kFromEn, {100, 99.32, 77.72, 30.76, 4.63, 11.76, 4.82}},
    {"ike", kF1, "zh", kFromZh, {99.95, 94.40, 99.40, 51.42, 52.23, 40.75, 45.05}},
    {"ike", kEm, "zh", kFromZh, {99.90, 91.22, 98.94, 23.43, 14.66, 5.40, 13.69}},
    {"rome", kF1, "en", kFromEn, {77.65, 72.27, 23.27, 93.67, 95.55, 7.48, 17.88}},
    {"rome", kEm, "en", kFromEn, {67.98, 55.06, 3.28, 81.58, 84.96, 0.10, 0.00}},
    {"rome", kF1, "zh", kFromZh, {24.88, 20.17, 60.44, 93.75, 94.75, 7.06, 24.75}},
    {"rome", kEm, "zh", kFromZh, {8.29, 2.51, 12.83, 82.45, 83.70, 0.00, 2.12}},
    {"memit", kF1, "en", kFromEn, {83.01, 77.63, 23.91, 98.45, 98.13, 8.08, 17.22}},
    {"memit", kEm, "en", kFromEn, {74.64, 61.43, 3.95, 95.37, 93.54, 0.10, 0.00}},
};

constexpr std::string_view kChat = "Llama-2-7B-chat";
constexpr std::string_view kLlama2Name = "Llama-2-7B";
constexpr std::string_view kRemakeModel = "LLaMA; its settings name Llama-2-7b";
constexpr PublishedTable kTables[] = {
    {kXkdePaper, kChat, kQuotedMark, kLlama2, "bizsre", Scoring::kXkde, 1, kXkdeBiZsrePrompts},
    {kXkdePaper, kChat, kQuotedMark, kLlama2, "bizsre", {}, 1, kXkdeBiZsreEditors},
    {kXkdePaper, kChat, kQuotedMark, kLlama2, "mzsre", Scoring::kXkde, 1, kXkdeMzsrePrompts},
    {kXkdePaper, kChat, kQuotedMark, kLlama2, "mzsre", {}, 1, kXkdeMzsreEditors},
    {kKnowEditPaper, kLlama2Name, kPaperMark, kLlama2, "recent", Scoring::kXkde, 1, kRecentPrompts},
    {kKnowEditPaper, kLlama2Name, kPaperMark, kLlama2, "recent", Scoring::kEasyEdit, 1,
     kRecentEditors},
    {kKnowEditPaper, kLlama2Name, kPaperMark, kLlama2, "zsre", Scoring::kXkde, 1, kZsrePrompts},
    {kKnowEditPaper, kLlama2Name, kPaperMark, kLlama2, "zsre", Scoring::kEasyEdit, 1, kZsreEditors},
    {kKnowEditPaper, kLlama2Name, kPaperMark, kLlama2, "wikibio", Scoring::kXkde, 1,
     kWikiBioPrompts},
    {kKnowEditPaper, kLlama2Name, kPaperMark, kLlama2, "wikibio", Scoring::kEasyEdit, 1,
     kWikiBioEditors},
    {kKnowEditPaper, kLlama2Name, kPaperMark, kLlama2, "counterfact", Scoring::kXkde, 1,
     kCounterfactPrompts},
    {kKnowEditPaper, kLlama2Name, kPaperMark, kLlama2, "counterfact", Scoring::kEasyEdit, 1,
     kCounterfactEditors},
    {kKnowEditPaper, kLlama2Name, kPaperMark, kLlama2, "bizsre", Scoring::kXkde, 1,
     kZsre1037Prompts},
    {kKnowEditPaper, kLlama2Name, kPaperMark, kLlama2, "bizsre", Scoring::kEasyEdit, 1,
     kZsre1037Editors},
    {kRemakePaper, kRemakeModel, kPaperMark, kEitherLlama, "mzsre", {}, 1, kMzsreRivals},
    {kRemakePaper, kRemakeModel, kPaperMark, kEitherLlama, "mzsre", {}, 743, kMzsreRemake},
    {kBiZsrePaper, "Chinese-LLaMA2-7B", kPaperMark, kChineseLlama2, "bizsre", {}, 1, kBiZsre},
};

constexpr size_t words(std::string_view text) {
  return 1 + static_cast<size_t>(std::ranges::count(text, ' '));
}

constexpr std::string_view word_at(std::string_view text, size_t place) {
  if (words(text) == 1) return text;
  while (place-- > 0) text.remove_prefix(text.find(' ') + 1);
  return text.substr(0, text.find(' '));
}

constexpr size_t values_of(const PublishedSeries& line) {
  return std::max({words(line.methods), words(line.metrics), words(line.edits), words(line.tests)});
}

/// Each text has one word or as many as there are values, and none is left over.
constexpr bool is_well_formed(const PublishedSeries& line) {
  const size_t count = values_of(line);
  if (count > PublishedSeries::kMost) return false;
  for (const std::string_view text : {line.methods, line.metrics, line.edits, line.tests}) {
    if (words(text) != 1 && words(text) != count) return false;
  }
  return std::all_of(line.values.begin() + static_cast<std::ptrdiff_t>(count), line.values.end(),
                     [](double value) { return value == 0; });
}
static_assert(std::ranges::all_of(kTables, [](const PublishedTable& table) {
  return std::ranges::all_of(table.series, is_well_formed);
}));

/// Methods whose model is trained for them; the others edit a model as it was released.
constexpr std::string_view kTrained[] = {"xkde", "lte"};

bool is_of(const PublishedTable& table, const EvalScope& scope, const EvalOptions& options,
           PublishedFamily family) {
  const bool is_single = scope.mode == "single" || scope.mode == "batch";
  const bool is_alike = table.memory == 1 ? is_single && scope.size == 1
                                          : scope.mode == "batch" && scope.size == table.memory;
  return is_alike && scope.benchmark == table.benchmark &&
         std::ranges::count(table.families, family) > 0 &&
         (!table.scoring || *table.scoring == options.scoring) &&
         options.averaging == Averaging::kEasyEdit;
}

}  // namespace

std::optional<PublishedFamily> published_family(const ModelConfig& config) {
  const bool is_7b = config.family == &family_named("llama") && config.num_hidden_layers == 32 &&
                     config.hidden_size == 4096 && config.intermediate_size == 11008;
  if (!is_7b) return std::nullopt;
  const int64_t vocabulary = config.vocab_size, context = config.max_position_embeddings;
  if (vocabulary == 32000 && context == 2048) return PublishedFamily::kLlama7b;
  if (vocabulary == 32000 && context == 4096) return PublishedFamily::kLlama2_7b;
  if (vocabulary == 55296 && context == 4096) return PublishedFamily::kChineseLlama2_7b;
  return std::nullopt;
}

std::span<const PublishedTable> published_tables() { return kTables; }

std::vector<PublishedValue> published_values(const ResultRow& row, const EvalOptions& options,
                                             std::optional<PublishedFamily> family) {
  std::vector<PublishedValue> found;
  const Language* edit = find_language(row.edit_language);
  const Language* test = find_language(row.test_language);
  const bool is_new_f1 = row.metric.starts_with("f1.") && options.f1_formula != F1Formula::kSquared;
  const bool is_trained = row.scope.phase == "after";
  if (!family || edit == nullptr || test == nullptr || is_new_f1) return found;
  if (is_trained && std::ranges::count(kTrained, row.scope.method) == 0) return found;
  for (const PublishedTable& table : kTables) {
    if (!is_of(table, row.scope, options, *family)) continue;
    for (const PublishedSeries& line : table.series) {
      for (size_t i = 0; i < values_of(line); ++i) {
        if (word_at(line.methods, i) == row.scope.method &&
            word_at(line.metrics, i) == row.metric && word_at(line.edits, i) == edit->iso &&
            word_at(line.tests, i) == test->iso)
          found.push_back({line.values[i], std::string(table.paper), std::string(table.model),
                           std::string(table.mark)});
      }
    }
  }
  return found;
}

}  // namespace xkde
