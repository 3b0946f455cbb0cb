#include "stages/ask/answerer.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/base/error.h"
#include "core/base/host_threads.h"
#include "core/data/sft_sample.h"
#include "core/evaluate/methods/methods.h"
#include "core/generate/text_pieces.h"
#include "core/text/regex/unicode.h"
#include "distributed/comm/nccl_communicator.h"
#include "stages/pipeline/pipeline.h"
#include "stages/pipeline/stage_parsers.h"

namespace xkde::ask {
namespace {

/// A recipe of the model alone. One without a chat template is asked in plain text.
recipe::Recipe recipe_of(const AskOptions& options) {
  if (options.model.empty())
    return recipe::read_recipe(options.recipe, recipe::kStageParsers, options.overrides);
  recipe::Recipe recipe;
  recipe.model.model_name_or_path = options.model;
  if (own_template(open_pretrained(options.model), "").source.empty())
    recipe.model.chat_template = "plain";
  return recipe;
}

recipe::Recipe without_stages(recipe::Recipe recipe) {
  recipe.stages.clear();
  return recipe;
}

/// "SmolLM2" of "models/SmolLM2/" and of "SmolLM2.gguf".
std::string name_of_model(const AskOptions& options, const recipe::Recipe& recipe) {
  if (options.model.empty()) return recipe.run_name;
  const std::filesystem::path path = options.model.lexically_normal();
  const std::filesystem::path last = path.has_filename() ? path : path.parent_path();
  return last.extension() == ".gguf" ? last.stem().string() : last.filename().string();
}

}  // namespace

Answerer::Answerer(AskOptions options)
    : options_(std::move(options)),
      recipe_(recipe_of(options_)),
      untrained_(without_stages(recipe_)),
      group_(1),
      comm_(group_.communicator(0)),
      context_(untrained_, *comm_,
               dist::has_nccl() && at::hasCUDA() ? at::Device(at::kCUDA, 0) : at::kCPU),
      facts_(first_facts(options_, recipe_)),
      model_name_(name_of_model(options_, recipe_)) {
  at::set_num_threads(threads_of_process(recipe_.parallel.threads, 1));
  const recipe::EvaluateStage* evaluate = last_evaluation(recipe_);
  if (evaluate != nullptr && evaluate->prompt_language == PromptLanguage::kNative)
    prompt_language_ = PromptLanguage::kNative;
  k_ = evaluate != nullptr && evaluate->retriever ? evaluate->retriever->k : 1;
  if (options_.k) k_ = *options_.k;
  std::string language = options_.language;
  if (language.empty()) language = evaluate == nullptr ? "en" : evaluate->test_languages.front();
  language_ = &language_of(language);
  recipe::restore_last_training(recipe_, context_);
  context_.model().make_resident();
}

int64_t Answerer::context_length() const { return context_.decoder().config().context_length(); }

Prompt Answerer::prompt(const Question& question) const {
  for (const ChatMessage& message : question.messages) {
    XKDE_CHECK(unicode::first_invalid_byte(message.content) == std::string::npos, DataError,
               "question: expected UTF-8, found other bytes");
  }
  XKDE_CHECK(!question.messages.empty(), DataError, "question: expected a message, found none");
  std::vector<ChatMessage> messages = question.messages;
  std::string& last = messages.back().content;
  Prompt prompt;
  if (question.with_facts && k_ > 0 && messages.back().role == ChatMessage::Role::kUser) {
    prompt.found = facts_.find(last, k_);
    PromptParts parts{.facts = {},
                      .question = last,
                      .language = question.language == nullptr ? language_ : question.language};
    parts.prompt_language = prompt_language_;
    for (const auto& [index, fact, cosine] : prompt.found)
      parts.facts.push_back({fact.prompt, fact.target});
    last = xkde_method().prompt(parts);
  }
  const ChatTemplate& chat = context_.chat_template();
  prompt.ids = encode_prompt(context_.tokenizer(), chat, chat.prompt(messages));
  return prompt;
}

Answer Answerer::answer(const Prompt& prompt, const AnswerOptions& options,
                        const OnPiece& on_piece) {
  TextPieces pieces(options.stop_texts);
  const auto tell = [&](const std::string& piece) {
    return on_piece == nullptr || on_piece(piece);
  };
  GenerateOptions generate{.sampling = options.sampling,
                           .max_new_tokens = options.max_new_tokens,
                           .stop_ids = context_.stop_ids(),
                           .stop_texts = options.stop_texts,
                           .max_sequences = 1};
  generate.on_token = [&](const GeneratedAnswer& so_far) {
    return tell(pieces.grow(context_.tokenizer().decode(so_far.ids)));
  };
  const std::vector<GeneratePrompt> prompts{{prompt.ids, 0}};
  GeneratedAnswer made =
      std::move(context_.generator(generate).generate(prompts, options.seed).front().front());
  tell(pieces.finish(made.text));
  return {std::move(made.text), made.finish_reason, std::ssize(made.ids)};
}

}  // namespace xkde::ask
