#ifndef XKDE_STAGES_ASK_ANSWERER_H_
#define XKDE_STAGES_ASK_ANSWERER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/language.h"
#include "core/edit/prompt.h"
#include "core/generate/generator.h"
#include "core/text/chat_message.h"
#include "distributed/comm/thread_communicator.h"
#include "stages/ask/ask_options.h"
#include "stages/ask/fact_store.h"
#include "stages/recipe/recipe.h"
#include "stages/run/run_context.h"

namespace xkde::ask {

/// A conversation that waits for its next answer.
struct Question {
  std::vector<ChatMessage> messages;   ///< the last is the user's
  bool with_facts = true;              ///< whether its last message finds facts
  const Language* language = nullptr;  ///< of the answer; null: the answerer's
};

/// What the model is shown for a question.
struct Prompt {
  std::vector<int64_t> ids;
  std::vector<FactFinder::Found> found;
};

struct AnswerOptions {
  SamplingOptions sampling{.temperature = 0.0};
  uint64_t seed = 0;
  int64_t max_new_tokens = 64;
  std::vector<std::string> stop_texts = {};
};

struct Answer {
  std::string text;
  FinishReason finish_reason = FinishReason::kLength;
  int64_t new_tokens = 0;
};

/// Takes the next piece of an answer after each token: whole characters, maybe none yet. False:
/// nobody wants the rest.
using OnPiece = std::function<bool(std::string_view piece)>;

/// Answers questions with facts that they find, one at a time, by the recipe's model after its last
/// training stage or by the model of the options. One process, CPU or the first GPU.
class Answerer {
 public:
  /// Reads all there is to read. Sets the number of threads of the calling thread, which is the one
  /// to call answer(). Throws as the parts do.
  explicit Answerer(AskOptions options);

  FactStore& facts() noexcept { return facts_; }
  const FactStore& facts() const noexcept { return facts_; }
  /// Of questions that name none.
  const Language& language() const noexcept { return *language_; }
  void set_language(const Language& language) noexcept { language_ = &language; }
  /// What the model is called: the recipe's run, or the last part of the model's path.
  const std::string& model_name() const noexcept { return model_name_; }
  int64_t shown_facts() const noexcept { return k_; }  ///< in a context, at most
  /// Tokens that a prompt and its answer may have together.
  int64_t context_length() const;

  /// Throws DataError where the turns have another order than the chat template knows, or a text is
  /// not UTF-8. Thread-safe, also beside answer().
  Prompt prompt(const Question& question) const;
  /// Calls `on_piece` (may be null) as the text grows. Throws DataError where the prompt leaves no
  /// token of the context.
  Answer answer(const Prompt& prompt, const AnswerOptions& options, const OnPiece& on_piece);

 private:
  AskOptions options_;
  recipe::Recipe recipe_;
  recipe::Recipe untrained_;  ///< whose model is held for answers only: nothing to plan
  dist::ThreadGroup group_;
  std::unique_ptr<dist::Communicator> comm_;
  recipe::RunContext context_;
  FactStore facts_;
  std::string model_name_;
  int64_t k_ = 1;
  const Language* language_ = nullptr;
  PromptLanguage prompt_language_ = PromptLanguage::kTest;  ///< as the last evaluation asked
};

}  // namespace xkde::ask

#endif  // XKDE_STAGES_ASK_ANSWERER_H_
