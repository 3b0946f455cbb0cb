#ifndef XKDE_CORE_TEXT_CHAT_TEMPLATE_H_
#define XKDE_CORE_TEXT_CHAT_TEMPLATE_H_

#include <string>
#include <string_view>
#include <vector>

namespace xkde {

struct ChatMessage {
  enum class Role { kSystem, kUser, kAssistant };
  Role role = Role::kUser;
  std::string content;
};

/// How a conversation is written as text (protocol 2.5).
class ChatTemplate {
 public:
  enum class Format { kChatMl, kLlama2, kGemma, kPlain };

  /// `key` is "auto" (recognise the model's own Jinja template: ChatML with or without a default
  /// system text, Llama-2, Gemma) or a format by name: "chatml" (the model's own default system
  /// text, else "You are a helpful assistant."), "chatml_helpful" (this text in any case),
  /// "chatml_no_system", "llama2", "gemma", "plain". Throws ConfigError
  /// naming the key when an automatic choice is not possible, or when the name is not known.
  static ChatTemplate select(std::string_view key, std::string_view jinja);
  /// The keys that select() takes, "auto" first.
  static std::vector<std::string_view> keys();

  Format format() const noexcept { return format_; }
  const std::string& system_text() const noexcept { return system_text_; }
  /// The text before the answer: default system turn (when the model has one), the user turn, the
  /// assistant's opening. ChatML: as apply_chat_template(add_generation_prompt=True) writes it.
  /// Llama-2: "[INST] {user} [/INST] ", contents stripped; the closing blank, which the model's
  /// template writes before the answer, is part of the prompt, and the blank that the published
  /// evaluator puts in front (protocol 6.1) is not. Gemma:
  /// "<start_of_turn>user\n{user}<end_of_turn>\n<start_of_turn>model\n". Plain: the user's text.
  std::string prompt(std::string_view user) const;
  /// As above for several turns: an optional system turn, then user and assistant by turns; the
  /// last must be a user's. Throws DataError for any other order.
  std::string prompt(const std::vector<ChatMessage>& messages) const;
  /// A whole conversation that ends with an answer, as the model's own template writes it without a
  /// generation prompt, BOS and closing tokens spelled out. Throws DataError for another order.
  std::string finished(const std::vector<ChatMessage>& messages) const;
  /// The token that closes an answer: "<|im_end|>" (ChatML), "</s>" (Llama-2),
  /// "<end_of_turn>" (Gemma); empty for plain.
  const std::string& end_of_turn() const noexcept { return end_of_turn_; }
  /// Whether prompt() leaves BOS to the tokenizer's special tokens (Llama-2, Gemma).
  bool wants_bos() const noexcept { return wants_bos_; }

 private:
  Format format_ = Format::kPlain;
  std::string system_text_;
  std::string end_of_turn_;
  bool wants_bos_ = false;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_CHAT_TEMPLATE_H_
