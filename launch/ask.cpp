#include "launch/ask.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/host_threads.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/data/language.h"
#include "core/data/sft_sample.h"
#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/methods/methods.h"
#include "core/io/file_reader.h"
#include "core/io/sha256.h"
#include "core/memory/edit_memory.h"
#include "core/memory/embed_texts.h"
#include "core/memory/fact_finder.h"
#include "core/text/regex/unicode.h"
#include "distributed/comm/nccl_communicator.h"
#include "distributed/comm/thread_communicator.h"
#include "stages/export/stage.h"
#include "stages/pipeline/pipeline.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe_inputs.h"
#include "stages/run/output_path.h"
#include "stages/run/run_context.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostTokens = 64;
constexpr std::string_view kLineHelp =
    "a question            asks it\n"
    "+ question => answer  remembers an edit\n"
    ":lang CODE            language of the questions that follow\n"
    ":facts                what is remembered, the newest last\n"
    ":quit                 ends, as does the end of the input\n";

/// "a.b=c" or "a.b~", and not "What is a = b?".
bool sets_a_key(const std::string& word) {
  if (removes_a_key(word)) return true;
  const size_t equals = word.find('=');
  return equals != std::string::npos && equals > 0 &&
         word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") == equals;
}

const recipe::EvaluateStage* last_evaluation(const recipe::Recipe& recipe) {
  const auto evaluations = recipe.stages_of<recipe::EvaluateStage>();
  return evaluations.empty() ? nullptr : evaluations.back();
}

recipe::Recipe without_stages(recipe::Recipe recipe) {
  recipe.stages.clear();
  return recipe;
}

/// The edit memory that is opened, or made: the command's, or that of the model's folder. Empty:
/// none.
fs::path memory_file(const AskCommand& command, const recipe::Recipe& recipe) {
  if (!command.facts.empty() || !command.memory.empty()) return command.memory;
  const fs::path exported = recipe.model.model_name_or_path / recipe::kExportedMemory;
  return is_there(exported, FileOrigin::kInput) ? exported : fs::path();
}

/// Throws ConfigError where no edit memory may be made at the command's path.
void check_memory_place(const AskCommand& command, const recipe::Recipe& recipe,
                        const fs::path& encoder) {
  std::vector<recipe::NamedPath> inputs = recipe::inputs_of(recipe);
  inputs.push_back({"the encoder", encoder});
  recipe::check_apart(command.memory, inputs);
  recipe::check_file_or_free(command.memory);
}

/// The edits that an evaluation makes, each once.
std::vector<WordedFact> facts_of(const recipe::EvaluateStage& stage) {
  LoadedData files;
  const EvalInputs inputs = read_eval_inputs(stage, files);
  std::vector<WordedFact> facts;
  std::set<std::pair<std::string, int64_t>> seen;
  for (const EvalStream& stream : inputs.streams) {
    for (size_t i = 0; i < stream.edits.size(); ++i) {
      const EvalEdit& edit = stream.edits[i];
      const std::string& language = inputs.pairs[stream.pairs[i]].first;
      if (!seen.emplace(language, edit.record).second) continue;
      facts.push_back(
          {{edit.question, edit.target, language, edit.record}, {{edit.question, edit.subject}}});
    }
  }
  return facts;
}

/// The facts of a file, as `language` states them or, where a fact is not in it, the first of its
/// own. They are asked for in all of theirs.
std::vector<WordedFact> facts_of(const fs::path& file, const Language& language) {
  std::vector<WordedFact> facts;
  for (const EditRecord& record : LoadedData().all_edits(benchmark_of("facts"), file).records) {
    const auto own = record.sides.find(language.iso);
    const auto& [iso, stated] = own == record.sides.end() ? *record.sides.begin() : *own;
    WordedFact& fact = facts.emplace_back();
    fact.fact = {stated.src, stated.alt, iso, record.index};
    for (const auto& [code, side] : record.sides) {
      fact.wordings.push_back({side.src, side.subject});
      for (const std::string& rephrase : side.rephrases)
        fact.wordings.push_back({rephrase, side.subject});
    }
  }
  return facts;
}

/// Those facts with which the command begins, where it opens no memory.
std::vector<WordedFact> facts_of(const AskCommand& command, const recipe::Recipe& recipe) {
  if (!command.facts.empty())
    return facts_of(command.facts,
                    language_of(command.fact_language.empty() ? "en" : command.fact_language));
  const recipe::EvaluateStage* evaluate = last_evaluation(recipe);
  return evaluate == nullptr ? std::vector<WordedFact>() : facts_of(*evaluate);
}

/// The recipe's key, else the encoder's own prompt.
std::string prefix_of(const recipe::EvaluateStage* evaluate, const SentenceEncoder& encoder,
                      std::optional<std::string> recipe::RetrieverKeys::*key,
                      SentenceEncoder::Role role) {
  if (evaluate == nullptr || !evaluate->retriever) return encoder.prompt(role);
  return ((*evaluate->retriever).*key).value_or(encoder.prompt(role));
}

std::unique_ptr<FactFinder> encoder_finder(const AskCommand& command, const recipe::Recipe& recipe,
                                           const fs::path& folder) {
  SentenceEncoder encoder = SentenceEncoder::open(folder);
  const recipe::EvaluateStage* evaluate = last_evaluation(recipe);
  EncoderPrefixes prefixes{prefix_of(evaluate, encoder, &recipe::RetrieverKeys::query_prefix,
                                     SentenceEncoder::Role::kQuery),
                           prefix_of(evaluate, encoder, &recipe::RetrieverKeys::document_prefix,
                                     SentenceEncoder::Role::kDocument)};
  std::string identity = encoder_identity(folder);
  // A prefix of the encoder's own stands in one of its files.
  if (prefixes.document != encoder.prompt(SentenceEncoder::Role::kDocument))
    identity = sha256_hex(concat(identity, " ", prefixes.document));
  const MemoryKind kind{encoder.width(), identity};
  const auto make_memory = [&]() -> EditMemory {
    const fs::path opened = memory_file(command, recipe);
    if (!opened.empty() && is_there(opened, FileOrigin::kInput))
      return EditMemory::open(opened, kind);
    if (!command.memory.empty()) check_memory_place(command, recipe, folder);
    std::vector<MemoryFact> facts;
    std::vector<std::string> prompts;
    for (WordedFact& one : facts_of(command, recipe)) {
      prompts.push_back(one.fact.prompt);
      facts.push_back(std::move(one.fact));
    }
    if (facts.empty()) {
      return command.memory.empty() ? EditMemory(kind) : EditMemory::create(command.memory, kind);
    }
    // Before the file is made: one without these facts would be opened as it is from then on.
    const at::Tensor embeddings =
        embed_texts(encoder, SentenceEncoder::prompted(prefixes.document, prompts));
    if (!command.memory.empty()) return EditMemory::create(command.memory, kind, facts, embeddings);
    EditMemory memory(kind);
    memory.append(facts, embeddings);
    return memory;
  };
  EditMemory memory = make_memory();
  std::optional<double> threshold;
  if (evaluate != nullptr && evaluate->retriever) threshold = evaluate->retriever->threshold;
  return std::make_unique<EncoderFinder>(std::move(encoder), std::move(prefixes), std::move(memory),
                                         threshold);
}

std::unique_ptr<FactFinder> finder_of(const AskCommand& command, const recipe::Recipe& recipe) {
  fs::path encoder = command.encoder;
  for (const auto* evaluate : recipe.stages_of<recipe::EvaluateStage>()) {
    if (command.encoder.empty() && evaluate->retriever)
      encoder = evaluate->retriever->model_name_or_path;
  }
  if (!encoder.empty()) return encoder_finder(command, recipe, encoder);
  const fs::path memory = memory_file(command, recipe);
  XKDE_CHECK(memory.empty(), MissingInputError, memory.string(),
             ": expected --encoder DIR or an evaluate stage with a retriever beside an edit "
             "memory, found neither");
  return std::make_unique<LetterFinder>(facts_of(command, recipe));
}

class Session {
 public:
  Session(const AskCommand& command, const recipe::Recipe& recipe, std::ostream& out)
      : out_(out),
        untrained_(without_stages(recipe)),
        group_(1),
        comm_(group_.communicator(0)),
        context_(untrained_, *comm_,
                 dist::has_nccl() && at::hasCUDA() ? at::Device(at::kCUDA, 0) : at::kCPU),
        facts_(finder_of(command, recipe)) {
    const recipe::EvaluateStage* evaluate = last_evaluation(recipe);
    if (evaluate != nullptr && evaluate->prompt_language == PromptLanguage::kNative)
      prompt_language_ = PromptLanguage::kNative;
    k_ = evaluate != nullptr && evaluate->retriever ? evaluate->retriever->k : 1;
    if (command.k) k_ = *command.k;
    std::string language = command.language;
    if (language.empty()) language = evaluate == nullptr ? "en" : evaluate->test_languages.front();
    language_ = &language_of(language);
    recipe::restore_last_training(recipe, context_);
    context_.model().make_resident();
  }

  /// The answer, then the facts that were shown with their cosines.
  void ask(const std::string& question) {
    XKDE_CHECK(unicode::first_invalid_byte(question) == std::string::npos, DataError,
               "question: expected UTF-8, found other bytes");
    std::vector<FactFinder::Found> found;
    if (k_ > 0) found = facts_->find(question, k_);
    PromptParts parts{.facts = {}, .question = question, .language = language_};
    parts.prompt_language = prompt_language_;
    for (const auto& [fact, cosine] : found) parts.facts.push_back({fact.prompt, fact.target});
    out_ << answer(xkde_method().prompt(parts)) << "\n";
    for (const auto& [fact, cosine] : found)
      out_ << fmt::format("  {:.2f}  {}\n", cosine, fact.text());
    if (found.empty() && k_ > 0 && facts_->size() > 0)
      out_ << "  no fact (" << facts_->condition() << ")\n";
    out_.flush();
  }

  void converse(std::istream& in) {
    out_ << facts_->size() << " facts; questions in " << language_->english_name
         << "; :help tells more\n";
    out_.flush();
    for (std::string line; std::getline(in, line);) {
      try {
        if (!obey(line)) break;
      } catch (const DataError& error) {
        out_ << error.what() << "\n";
      } catch (const ConfigError& error) {
        out_ << error.what() << "\n";
      }
      out_.flush();
    }
    XKDE_CHECK(!in.bad(), IoError, "standard input: expected lines, found a read error");
  }

  void save() { facts_->save(); }

 private:
  std::string answer(const std::string& user) {
    const ChatTemplate& chat = context_.chat_template();
    const GenerateOptions options{.sampling = {.temperature = 0.0},
                                  .max_new_tokens = kMostTokens,
                                  .stop_ids = context_.stop_ids(),
                                  .stop_texts = {}};
    const std::vector<int64_t> ids = encode_prompt(context_.tokenizer(), chat, chat.prompt(user));
    const std::vector<GeneratePrompt> prompts{{ids, 0}};
    return context_.generator(options).generate(prompts, 0).front().front().text;
  }

  /// False at the end.
  bool obey(const std::string& line) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) return true;
    if (line == ":quit") return false;
    if (line == ":help") {
      out_ << kLineHelp;
    } else if (line == ":facts") {
      for (int64_t i = 0; i < facts_->size(); ++i)
        out_ << facts_->fact(i).language << "  " << facts_->fact(i).text() << "\n";
    } else if (line.starts_with(":lang ")) {
      language_ = &language_of(line.substr(6));
    } else if (line.starts_with(":")) {
      out_ << "expected :lang CODE, :facts, :help or :quit, found " << line << "\n";
    } else if (line.starts_with("+")) {
      remember(line.substr(1));
    } else {
      ask(line);
    }
    return true;
  }

  void remember(const std::string& text) {
    const size_t arrow = text.find("=>");
    const auto trimmed = [](std::string_view part) {
      const size_t begin = part.find_first_not_of(" \t\r");
      if (begin == std::string_view::npos) return std::string();
      return std::string(part.substr(begin, part.find_last_not_of(" \t\r") + 1 - begin));
    };
    MemoryFact fact;
    if (arrow != std::string::npos) {
      fact.prompt = trimmed(std::string_view(text).substr(0, arrow));
      fact.target = trimmed(std::string_view(text).substr(arrow + 2));
    }
    if (fact.prompt.empty() || fact.target.empty()) {
      out_ << "expected + question => answer, found +" << text << "\n";
      return;
    }
    XKDE_CHECK(unicode::first_invalid_byte(text) == std::string::npos, DataError,
               "edit: expected UTF-8, found other bytes");
    fact.language = language_->iso;
    fact.record = facts_->size();
    facts_->remember(fact);
    out_ << "remembered, " << facts_->size() << " facts\n";
  }

  std::ostream& out_;
  recipe::Recipe untrained_;  ///< whose model is held for answers only: nothing to plan
  dist::ThreadGroup group_;
  std::unique_ptr<dist::Communicator> comm_;
  recipe::RunContext context_;
  std::unique_ptr<FactFinder> facts_;
  int64_t k_ = 1;
  const Language* language_ = nullptr;
  PromptLanguage prompt_language_ = PromptLanguage::kTest;  ///< as the last evaluation asked
};

/// A recipe of the model alone. One without a chat template is asked in plain text.
recipe::Recipe recipe_of_model(const fs::path& model) {
  recipe::Recipe recipe;
  recipe.model.model_name_or_path = model;
  if (own_template(open_pretrained(model), "").source.empty()) recipe.model.chat_template = "plain";
  return recipe;
}

}  // namespace

void ask_model(const AskCommand& command, std::istream& in, std::ostream& out) {
  const recipe::Recipe recipe =
      command.model.empty() ? recipe::read_recipe(command.arguments.recipe, recipe::kStageParsers,
                                                  command.arguments.overrides)
                            : recipe_of_model(command.model);
  at::set_num_threads(threads_of_process(recipe.parallel.threads, 1));
  Session session(command, recipe, out);
  if (!command.question.empty()) {
    session.ask(command.question);
  } else {
    session.converse(in);
  }
  session.save();
}

std::string_view AskCommand::summary() const {
  return "what the recipe's model (after its training, which must be done) answers with the edits "
         "of its last evaluate stage before it, or any model (--model) with facts of your own "
         "(--facts), and which facts it was shown; without a question it reads them from standard "
         "input, a line each, and edits to remember";
}

std::vector<std::string_view> AskCommand::examples() const {
  return {
      "xkde_dist ask recipe.yaml --lang fr \"Quelle organisation exploite l'observatoire Marlow "
      "Tide ?\"",
      "xkde_dist ask --model models/SmolLM2-135M-Instruct --facts facts.jsonl --lang de",
      "xkde_dist ask recipe.yaml --memory edits.h5"};
}

void AskCommand::define(CLI::App& app) {
  arguments.define(app);
  app.add_option("--model", model, "a Hugging Face folder or .gguf file, in place of a recipe")
      ->type_name("MODEL");
  app.add_option("--facts", facts,
                 "facts of your own (docs/recipes.md) in place of the edits of the recipe")
      ->type_name("FILE");
  app.add_option("--fact-lang", fact_language,
                 "language in which facts of --facts are shown (default: en where they have it)")
      ->type_name("CODE");
  app.add_option("--lang", language,
                 "language of the questions (default: the recipe's first test language, else en)")
      ->type_name("CODE");
  app.add_option("--memory", memory,
                 "an edit memory (HDF5) to open, and to add edits to; made when it is not there")
      ->type_name("FILE");
  app.add_option("--encoder", encoder,
                 "sentence encoder, where the recipe has no retriever; without one, facts are "
                 "found by their letters")
      ->type_name("DIR");
  app.add_option("-k", k, "facts in a context, at most; 0: none")
      ->check(CLI::Range(0, 1 << 20))
      ->type_name("N");
}

void AskCommand::check(std::span<const std::string> /*names*/) {
  std::vector<std::string>& words = arguments.words;
  // A word behind the recipe that sets no key is the question.
  const auto is_question = [](const std::string& word) { return !sets_a_key(word); };
  const bool has_recipe = model.empty() && !words.empty();
  const auto found = std::find_if(words.begin() + (has_recipe ? 1 : 0), words.end(), is_question);
  if (found != words.end()) {
    question = *found;
    XKDE_CHECK(!question.empty(), UsageError, "ask: expected a question, found nothing in quotes");
    words.erase(found);
  }
  XKDE_CHECK(facts.empty() || memory.empty(), UsageError,
             "ask: expected --facts or --memory, found both");
  XKDE_CHECK(fact_language.empty() || !facts.empty(), UsageError,
             "ask: expected --facts FILE beside --fact-lang, found none");
  if (model.empty()) return arguments.check(name());
  XKDE_CHECK(!question.ends_with(".yaml"), UsageError,
             "ask: expected a recipe or --model, found both");
  XKDE_CHECK(words.empty(), UsageError, "ask: expected one question beside --model, found ",
             in_quotes(words.empty() ? "" : words.front()));
}

int AskCommand::run() {
  ask_model(*this, std::cin, std::cout);
  return 0;
}

}  // namespace xkde
