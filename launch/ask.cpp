#include "launch/ask.h"

#include <algorithm>
#include <iostream>
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
#include "core/data/language.h"
#include "core/data/sft_sample.h"
#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/methods/methods.h"
#include "core/io/file_reader.h"
#include "core/io/sha256.h"
#include "core/memory/edit_memory.h"
#include "core/memory/embed_texts.h"
#include "core/memory/fact_index.h"
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

/// "a.b=c", and not "What is a = b?".
bool sets_a_key(const std::string& word) {
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

fs::path encoder_of(const AskCommand& command, const recipe::Recipe& recipe) {
  if (!command.encoder.empty()) return command.encoder;
  fs::path found;
  for (const auto* evaluate : recipe.stages_of<recipe::EvaluateStage>()) {
    if (evaluate->retriever) found = evaluate->retriever->model_name_or_path;
  }
  XKDE_CHECK(!found.empty(), MissingInputError, command.arguments.recipe.string(),
             ": expected --encoder DIR or an evaluate stage with a retriever, found neither");
  return found;
}

/// The edits that an evaluation makes, each once.
std::vector<MemoryFact> facts_of(const recipe::EvaluateStage& stage) {
  LoadedData files;
  const EvalInputs inputs = read_eval_inputs(stage, files);
  std::vector<MemoryFact> facts;
  std::set<std::pair<std::string, int64_t>> seen;
  for (const EvalStream& stream : inputs.streams) {
    for (size_t i = 0; i < stream.edits.size(); ++i) {
      const EvalEdit& edit = stream.edits[i];
      const std::string& language = inputs.pairs[stream.pairs[i]].first;
      if (seen.emplace(language, edit.record).second)
        facts.push_back({edit.question, edit.target, language, edit.record});
    }
  }
  return facts;
}

class Session {
 public:
  Session(const AskCommand& command, const recipe::Recipe& recipe, std::ostream& out)
      : out_(out),
        recipe_(recipe),
        untrained_(without_stages(recipe)),
        group_(1),
        comm_(group_.communicator(0)),
        context_(untrained_, *comm_,
                 dist::has_nccl() && at::hasCUDA() ? at::Device(at::kCUDA, 0) : at::kCPU),
        encoder_folder_(encoder_of(command, recipe)),
        encoder_(SentenceEncoder::open(encoder_folder_)),
        query_prefix_(
            prefix_of(recipe, &recipe::RetrieverKeys::query_prefix, SentenceEncoder::Role::kQuery)),
        document_prefix_(prefix_of(recipe, &recipe::RetrieverKeys::document_prefix,
                                   SentenceEncoder::Role::kDocument)),
        memory_(open_memory(command)),
        index_(encoder_.width()) {
    const recipe::EvaluateStage* evaluate = last_evaluation(recipe);
    if (evaluate != nullptr && evaluate->prompt_language == PromptLanguage::kNative)
      prompt_language_ = PromptLanguage::kNative;
    k_ = evaluate != nullptr && evaluate->retriever ? evaluate->retriever->k : 1;
    if (command.k > 0) k_ = command.k;
    std::string language = command.language;
    if (language.empty()) language = evaluate == nullptr ? "en" : evaluate->test_languages.front();
    language_ = &language_of(language);
    if (memory_.size() > 0) index_.append(memory_.embeddings());
    recipe::restore_last_training(recipe, context_);
    context_.model().make_resident();
  }

  /// The answer, then the facts that were shown with their cosines.
  void ask(const std::string& question) {
    const at::Tensor query = embed({question}, query_prefix_);
    std::vector<Hit> hits;
    if (memory_.size() > 0) hits = index_.top_k(query, k_).front();
    PromptParts parts{.facts = {}, .question = question, .language = language_};
    parts.prompt_language = prompt_language_;
    for (const Hit& hit : hits) {
      const MemoryFact& fact = memory_.fact(hit.fact);
      parts.facts.push_back({fact.prompt, fact.target});
    }
    out_ << answer(xkde_method().prompt(parts)) << "\n";
    for (const Hit& hit : hits) {
      out_ << fmt::format("  {:.2f}  {}\n", static_cast<double>(hit.score),
                          memory_.fact(hit.fact).text());
    }
    out_.flush();
  }

  void converse(std::istream& in) {
    out_ << memory_.size() << " facts; questions in " << language_->english_name
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

  void save() { memory_.save(); }

 private:
  EditMemory open_memory(const AskCommand& command) {
    std::string identity = encoder_identity(encoder_folder_);
    // A prefix of the encoder's own stands in one of its files.
    if (document_prefix_ != encoder_.prompt(SentenceEncoder::Role::kDocument))
      identity = sha256_hex(concat(identity, " ", document_prefix_));
    const MemoryKind kind{encoder_.width(), identity};
    const fs::path exported = recipe_.model.model_name_or_path / recipe::kExportedMemory;
    if (command.memory.empty() && is_there(exported, FileOrigin::kInput))
      return EditMemory::open(exported, kind);
    if (!command.memory.empty() && is_there(command.memory, FileOrigin::kInput))
      return EditMemory::open(command.memory, kind);
    if (!command.memory.empty()) {
      std::vector<recipe::NamedPath> inputs = recipe::inputs_of(recipe_);
      inputs.push_back({"the encoder", encoder_folder_});
      recipe::check_apart(command.memory, inputs);
      recipe::check_file_or_free(command.memory);
    }
    const recipe::EvaluateStage* evaluate = last_evaluation(recipe_);
    XKDE_CHECK(evaluate != nullptr || !command.memory.empty(), MissingInputError,
               command.arguments.recipe.string(),
               ": expected --memory FILE or an evaluate stage, whose edits are remembered; found "
               "neither");
    if (evaluate == nullptr) return EditMemory::create(command.memory, kind);
    const std::vector<MemoryFact> facts = facts_of(*evaluate);
    std::vector<std::string> prompts;
    for (const MemoryFact& fact : facts) prompts.push_back(fact.prompt);
    // Before the file is made: one without the recipe's edits would be opened as it is from then
    // on.
    const at::Tensor embeddings = embed(prompts, document_prefix_);
    if (!command.memory.empty()) return EditMemory::create(command.memory, kind, facts, embeddings);
    EditMemory memory(kind);
    memory.append(facts, embeddings);
    return memory;
  }

  /// The recipe's key, else the encoder's own prompt.
  std::string prefix_of(const recipe::Recipe& recipe,
                        std::optional<std::string> recipe::RetrieverKeys::*key,
                        SentenceEncoder::Role role) const {
    const recipe::EvaluateStage* evaluate = last_evaluation(recipe);
    if (evaluate == nullptr || !evaluate->retriever) return encoder_.prompt(role);
    return ((*evaluate->retriever).*key).value_or(encoder_.prompt(role));
  }

  at::Tensor embed(const std::vector<std::string>& texts, const std::string& prefix) const {
    return embed_texts(encoder_, SentenceEncoder::prompted(prefix, texts));
  }

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
      for (int64_t i = 0; i < memory_.size(); ++i)
        out_ << memory_.fact(i).language << "  " << memory_.fact(i).text() << "\n";
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
    fact.language = language_->iso;
    fact.record = memory_.size();
    const at::Tensor embedding = embed({fact.prompt}, document_prefix_);
    memory_.append(std::vector<MemoryFact>{fact}, embedding);
    index_.append(embedding);
    out_ << "remembered, " << memory_.size() << " facts\n";
  }

  std::ostream& out_;
  const recipe::Recipe& recipe_;
  recipe::Recipe untrained_;  ///< whose model is held for answers only: nothing to plan
  dist::ThreadGroup group_;
  std::unique_ptr<dist::Communicator> comm_;
  recipe::RunContext context_;
  fs::path encoder_folder_;
  SentenceEncoder encoder_;
  std::string query_prefix_, document_prefix_;  ///< before what is embedded
  EditMemory memory_;
  FactIndex index_;
  int64_t k_ = 1;
  const Language* language_ = nullptr;
  PromptLanguage prompt_language_ = PromptLanguage::kTest;  ///< as the last evaluation asked
};

}  // namespace

void ask_model(const AskCommand& command, std::istream& in, std::ostream& out) {
  const recipe::Recipe recipe = recipe::read_recipe(command.arguments.recipe, recipe::kStageParsers,
                                                    command.arguments.overrides);
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
         "of "
         "its last evaluate stage in memory, and which facts it was shown; without a question it "
         "reads them from standard input, a line each, and edits to remember";
}

std::vector<std::string_view> AskCommand::examples() const {
  return {
      "xkde_dist ask recipe.yaml --lang fr \"Quelle organisation exploite l'observatoire Marlow "
      "Tide ?\"",
      "xkde_dist ask recipe.yaml --memory edits.h5"};
}

void AskCommand::define(CLI::App& app) {
  arguments.define(app);
  app.add_option("--lang", language,
                 "language of the questions (default: the recipe's first test language)")
      ->type_name("CODE");
  app.add_option("--memory", memory,
                 "an edit memory (HDF5) to open, and to add edits to; made when it is not there")
      ->type_name("FILE");
  app.add_option("--encoder", encoder, "sentence encoder, where the recipe has no retriever")
      ->type_name("DIR");
  app.add_option("-k", k, "facts in a context, at most")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N");
}

void AskCommand::check(std::span<const std::string> /*names*/) {
  std::vector<std::string>& words = arguments.words;
  // A word behind the recipe that sets no key is the question.
  const auto is_question = [](const std::string& word) { return !sets_a_key(word); };
  const auto found =
      std::find_if(words.begin() + (words.empty() ? 0 : 1), words.end(), is_question);
  if (found != words.end()) {
    question = *found;
    XKDE_CHECK(!question.empty(), UsageError, "ask: expected a question, found nothing in quotes");
    words.erase(found);
  }
  arguments.check(name());
}

int AskCommand::run() {
  ask_model(*this, std::cin, std::cout);
  return 0;
}

}  // namespace xkde
