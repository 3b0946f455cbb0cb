#ifndef XKDE_CORE_TEXT_OWN_TEMPLATE_H_
#define XKDE_CORE_TEXT_OWN_TEMPLATE_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/text/chat_message.h"
#include "core/text/jinja/template.h"

namespace xkde {

/// What a model brings to write a conversation with.
struct ModelTemplate {
  std::string source;                         ///< Jinja; empty: the model has no template
  std::map<std::string, std::string> tokens;  ///< special tokens: "bos_token", "eos_token", …
  std::optional<jinja::Clock> clock = {};     ///< what strftime_now tells; nothing: refused
};

/// A conversation as a model's own template writes it. All numbers are offsets in its bytes.
struct WrittenChat {
  struct Part {
    size_t begin = 0;
    size_t end = 0;
  };
  std::string text;
  /// What the template marks by {% generation %}, with all that closes a turn inside it.
  std::vector<Part> generated;
};

/// The chat template of a model, rendered as apply_chat_template of transformers does. Immutable.
class OwnTemplate {
 public:
  /// `name` begins messages. Throws ConfigError with the line for what cannot be rendered.
  OwnTemplate(const ModelTemplate& model, const std::string& name);

  /// Throws ConfigError with construct and line, and DataError where the template turns the
  /// conversation away.
  std::string text(const std::vector<ChatMessage>& messages, bool add_generation_prompt) const;
  /// A conversation without a prompt at its end. Throws as text().
  WrittenChat written(const std::vector<ChatMessage>& messages) const;
  /// Where the answer messages[answer] stands in `whole`, the text of all `messages`: from where
  /// its prompt ends to where its own text ends. By what the template writes before it, and by what
  /// it writes with another text in its place. Throws as text(), and ConfigError where the answer
  /// has no place of its own.
  WrittenChat::Part place_of_answer(const std::vector<ChatMessage>& messages, size_t answer,
                                    const std::string& whole) const;

  /// A special token; empty: the model has none.
  const std::string& token(const std::string& name) const;
  bool has_generation() const noexcept { return template_.has_generation(); }

 private:
  jinja::Rendered render(const std::vector<ChatMessage>& messages,
                         bool add_generation_prompt) const;

  std::string name_;
  ModelTemplate model_;
  jinja::Template template_;
  std::vector<std::pair<std::string, jinja::Value>> tokens_;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_OWN_TEMPLATE_H_
