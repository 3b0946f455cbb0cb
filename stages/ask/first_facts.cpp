#include "stages/ask/first_facts.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/data/benchmarks/loaded_data.h"
#include "core/data/language.h"
#include "core/evaluate/eval_inputs.h"
#include "core/io/file_reader.h"
#include "core/io/sha256.h"
#include "core/memory/edit_memory.h"
#include "core/memory/embed_texts.h"
#include "stages/export/stage.h"
#include "stages/recipe/recipe_inputs.h"
#include "stages/run/output_path.h"

namespace xkde::ask {
namespace {

namespace fs = std::filesystem;

/// The edit memory that is opened, or made: the options', or that of the model's folder. Empty:
/// none.
fs::path memory_file(const AskOptions& options, const recipe::Recipe& recipe) {
  if (!options.facts.empty() || !options.memory.empty()) return options.memory;
  const fs::path exported = recipe.model.model_name_or_path / recipe::kExportedMemory;
  return is_there(exported, FileOrigin::kInput) ? exported : fs::path();
}

/// Throws ConfigError where no edit memory may be made at the options' path.
void check_memory_place(const AskOptions& options, const recipe::Recipe& recipe,
                        const fs::path& encoder) {
  std::vector<recipe::NamedPath> inputs = recipe::inputs_of(recipe);
  inputs.push_back({"the encoder", encoder});
  recipe::check_apart(options.memory, inputs);
  recipe::check_file_or_free(options.memory);
}

/// Facts, and what a file of facts says or would say of them.
struct KnownFacts {
  std::vector<WordedFact> facts;
  std::vector<EditRecord> records;
};

/// The edits that an evaluation makes, each once.
KnownFacts facts_of(const recipe::EvaluateStage& stage) {
  LoadedData files;
  const EvalInputs inputs = read_eval_inputs(stage, files);
  KnownFacts known;
  std::set<std::pair<std::string, int64_t>> seen;
  for (const EvalStream& stream : inputs.streams) {
    for (size_t i = 0; i < stream.edits.size(); ++i) {
      const EvalEdit& edit = stream.edits[i];
      const std::string& language = inputs.pairs[stream.pairs[i]].first;
      if (!seen.emplace(language, edit.record).second) continue;
      known.facts.push_back(
          {{edit.question, edit.target, language, edit.record}, {{edit.question, edit.subject}}});
      EditRecord& record = known.records.emplace_back();
      EditSide& side = record.sides[language_of(language).iso];
      side.subject = edit.subject;
      side.src = edit.question;
      side.alt = edit.target;
    }
  }
  return known;
}

/// The facts of a file, as `language` states them or, where a fact is not in it, the first of its
/// own. They are asked for in all of theirs.
KnownFacts facts_of(const fs::path& file, const Language& language) {
  KnownFacts known{{}, LoadedData().all_edits(benchmark_of("facts"), file).records};
  for (const EditRecord& record : known.records) {
    const auto own = record.sides.find(language.iso);
    const auto& [iso, stated] = own == record.sides.end() ? *record.sides.begin() : *own;
    WordedFact& fact = known.facts.emplace_back();
    fact.fact = {stated.src, stated.alt, iso, record.index};
    for (const auto& [code, side] : record.sides) {
      fact.wordings.push_back({side.src, side.subject});
      for (const std::string& rephrase : side.rephrases)
        fact.wordings.push_back({rephrase, side.subject});
    }
  }
  return known;
}

/// Those with which the session begins, where it opens no memory.
KnownFacts facts_of(const AskOptions& options, const recipe::Recipe& recipe) {
  if (!options.facts.empty())
    return facts_of(options.facts,
                    language_of(options.fact_language.empty() ? "en" : options.fact_language));
  const recipe::EvaluateStage* evaluate = last_evaluation(recipe);
  return evaluate == nullptr ? KnownFacts() : facts_of(*evaluate);
}

/// The recipe's key, else the encoder's own prompt.
std::string prefix_of(const recipe::EvaluateStage* evaluate, const SentenceEncoder& encoder,
                      std::optional<std::string> recipe::RetrieverKeys::*key,
                      SentenceEncoder::Role role) {
  if (evaluate == nullptr || !evaluate->retriever) return encoder.prompt(role);
  return ((*evaluate->retriever).*key).value_or(encoder.prompt(role));
}

/// What an encoder is asked for.
struct EncoderUse {
  EncoderPrefixes prefixes;
  MemoryKind kind;
};

EncoderUse encoder_use(const SentenceEncoder& encoder, const recipe::EvaluateStage* evaluate,
                       const fs::path& folder) {
  EncoderUse use{{prefix_of(evaluate, encoder, &recipe::RetrieverKeys::query_prefix,
                            SentenceEncoder::Role::kQuery),
                  prefix_of(evaluate, encoder, &recipe::RetrieverKeys::document_prefix,
                            SentenceEncoder::Role::kDocument)},
                 {encoder.width(), encoder_identity(folder)}};
  // A prefix of the encoder's own stands in one of its files.
  if (use.prefixes.document != encoder.prompt(SentenceEncoder::Role::kDocument))
    use.kind.encoder = sha256_hex(concat(use.kind.encoder, " ", use.prefixes.document));
  return use;
}

/// A memory of these facts, in the file of the options where they name one.
EditMemory memory_of(const std::vector<WordedFact>& worded, const SentenceEncoder& encoder,
                     const EncoderUse& use, const fs::path& file) {
  std::vector<MemoryFact> facts;
  std::vector<std::string> prompts;
  for (const WordedFact& one : worded) {
    prompts.push_back(one.fact.prompt);
    facts.push_back(one.fact);
  }
  if (facts.empty())
    return file.empty() ? EditMemory(use.kind) : EditMemory::create(file, use.kind);
  // Before the file is made: one without these facts would be opened as it is from then on.
  const at::Tensor embeddings =
      embed_texts(encoder, SentenceEncoder::prompted(use.prefixes.document, prompts));
  if (!file.empty()) return EditMemory::create(file, use.kind, facts, embeddings);
  EditMemory memory(use.kind);
  memory.append(facts, embeddings);
  return memory;
}

FirstFacts found_by_encoder(const AskOptions& options, const recipe::Recipe& recipe,
                            const fs::path& folder) {
  SentenceEncoder encoder = SentenceEncoder::open(folder);
  const recipe::EvaluateStage* evaluate = last_evaluation(recipe);
  EncoderUse use = encoder_use(encoder, evaluate, folder);
  std::optional<double> threshold = options.threshold;
  if (!threshold && evaluate != nullptr && evaluate->retriever)
    threshold = evaluate->retriever->threshold;
  std::vector<EditRecord> records;
  const auto make_memory = [&]() -> EditMemory {
    const fs::path opened = memory_file(options, recipe);
    if (!opened.empty() && (options.is_read_only || is_there(opened, FileOrigin::kInput))) {
      return EditMemory::open(
          opened, use.kind,
          options.is_read_only ? EditMemory::Access::kRead : EditMemory::Access::kAppend);
    }
    if (!options.memory.empty()) check_memory_place(options, recipe, folder);
    KnownFacts known = facts_of(options, recipe);
    records = std::move(known.records);
    return memory_of(known.facts, encoder, use, options.memory);
  };
  EditMemory memory = make_memory();
  return {std::make_unique<EncoderFinder>(std::move(encoder), std::move(use.prefixes),
                                          std::move(memory), threshold),
          std::move(records)};
}

}  // namespace

const recipe::EvaluateStage* last_evaluation(const recipe::Recipe& recipe) {
  const auto evaluations = recipe.stages_of<recipe::EvaluateStage>();
  return evaluations.empty() ? nullptr : evaluations.back();
}

FirstFacts first_facts(const AskOptions& options, const recipe::Recipe& recipe) {
  fs::path encoder = options.encoder;
  for (const auto* evaluate : recipe.stages_of<recipe::EvaluateStage>()) {
    if (options.encoder.empty() && evaluate->retriever)
      encoder = evaluate->retriever->model_name_or_path;
  }
  if (!encoder.empty()) return found_by_encoder(options, recipe, encoder);
  XKDE_CHECK(!options.threshold, UsageError,
             "--threshold: expected --encoder DIR or an evaluate stage with a retriever beside it, "
             "found neither");
  const fs::path memory = memory_file(options, recipe);
  XKDE_CHECK(memory.empty(), MissingInputError, memory.string(),
             ": expected --encoder DIR or an evaluate stage with a retriever beside an edit "
             "memory, found neither");
  KnownFacts known = facts_of(options, recipe);
  return {std::make_unique<LetterFinder>(known.facts), std::move(known.records)};
}

}  // namespace xkde::ask
