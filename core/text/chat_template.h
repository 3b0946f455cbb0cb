#ifndef XKDE_CORE_TEXT_CHAT_TEMPLATE_H_
#define XKDE_CORE_TEXT_CHAT_TEMPLATE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_message.h"
#include "core/text/own_template.h"

namespace xkde {

/// How a conversation is written as text (protocol 2.5).
class ChatTemplate {
 public:
  /// What the text looks like. kOwn is any of a model's own template that is neither ChatML nor
  /// Llama-2's.
  enum class Format { kChatMl, kLlama2, kGemma, kPlain, kOwn };

  /// `key` is "auto" (the model's own template, rendered) or a format by name: "chatml" (with the
  /// system text that the model's own template puts where there is none, else "You are a helpful
  /// assistant."), "chatml_helpful" (this text in any case), "chatml_no_system", "llama2", "gemma",
  /// "plain".
  /// A rendered template's format is what it writes for a few conversations. Throws ConfigError
  /// naming the key when the name is not known, when the model has no template for "auto", or with
  /// construct and line when it cannot be rendered.
  static ChatTemplate select(std::string_view key, const ModelTemplate& model);
  /// The same for a template that names no special tokens.
  static ChatTemplate select(std::string_view key, std::string_view jinja);
  /// The keys that select() takes, "auto" first.
  static std::vector<std::string_view> keys();

  Format format() const noexcept { return format_; }
  /// Of ChatML: what stands in the place of a system turn where a conversation has none.
  const std::string& system_text() const noexcept { return system_text_; }
  /// The text before the answer: default system turn (when the model has one), the user turn, the
  /// assistant's opening, as apply_chat_template(add_generation_prompt=True) writes it. Llama-2:
  /// "[INST] {user} [/INST] ", contents stripped; the closing blank, which the model's template
  /// writes before the answer, is part of the prompt, BOS is not, nor is the blank that the
  /// published evaluator puts in front (protocol 6.1). Gemma by name: the same without BOS. Plain:
  /// the user's text.
  std::string prompt(std::string_view user) const;
  /// As above for several turns: an optional system turn, then user and assistant by turns; the
  /// last must be a user's. Throws DataError for any other order.
  std::string prompt(const std::vector<ChatMessage>& messages) const;
  /// A whole conversation that ends with an answer, as the model's own template writes it without a
  /// generation prompt, BOS and closing tokens spelled out. Throws DataError for another order.
  std::string finished(const std::vector<ChatMessage>& messages) const;
  /// finished(), and what the template marks in it. Of kOwn only.
  WrittenChat written(const std::vector<ChatMessage>& messages) const;
  /// Where the answers stand in `whole`, which is finished(messages), in order. Of kOwn only.
  /// Throws ConfigError where an answer has no place of its own.
  std::vector<WrittenChat::Part> places_of_answers(const std::vector<ChatMessage>& messages,
                                                   const std::string& whole) const;
  /// The Jinja source that belongs to a model which was trained with this: the model's own where it
  /// is what was rendered or writes the same, and for plain; else one that writes this format.
  /// Empty: none.
  std::string source_for(const ModelTemplate& model) const;
  /// The token that closes an answer: "<|im_end|>" (ChatML), "</s>" (Llama-2) or "<end_of_turn>"
  /// (Gemma). Empty for plain, and for kOwn, which tells no more than text_behind_answer().
  const std::string& end_of_turn() const noexcept { return end_of_turn_; }
  /// Of kOwn: all that the template writes behind the last answer. Else empty.
  const std::string& text_behind_answer() const noexcept { return text_behind_answer_; }
  /// Whether prompt() leaves BOS to the tokenizer's special tokens (Llama-2, Gemma).
  bool wants_bos() const noexcept { return wants_bos_; }

 private:
  static ChatTemplate of_model(const ModelTemplate& model, const std::string& name);

  Format format_ = Format::kPlain;
  std::string system_text_;
  std::string end_of_turn_;
  std::string text_behind_answer_;
  bool wants_bos_ = false;
  std::shared_ptr<const OwnTemplate> own_;  ///< null: the format by name
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_CHAT_TEMPLATE_H_
