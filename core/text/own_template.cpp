#include "core/text/own_template.h"

#include <memory>

#include "core/base/error.h"

namespace xkde {
namespace {

/// A text that no conversation holds, and that no template cuts.
constexpr std::string_view kMark = "\x01\x02\x01";

jinja::Value message_value(const ChatMessage& message) {
  static const jinja::Value role("role"), content("content");
  auto dict = std::make_shared<jinja::Dict>();
  dict->entries.emplace_back(role, jinja::Value(name_of(kRoleNames, message.role)));
  dict->entries.emplace_back(content, jinja::Value(message.content));
  return jinja::DictPtr(std::move(dict));
}

jinja::Value messages_value(const std::vector<ChatMessage>& messages) {
  auto list = std::make_shared<jinja::Sequence>();
  for (const ChatMessage& message : messages) list->items.push_back(message_value(message));
  list->depth = 2;
  return jinja::SequencePtr(std::move(list));
}

}  // namespace

OwnTemplate::OwnTemplate(const ModelTemplate& model, const std::string& name)
    : name_(name), model_(model), template_(jinja::Template::parse(model.source, name)) {
  for (const auto& [key, token] : model_.tokens) tokens_.emplace_back(key, jinja::Value(token));
}

const std::string& OwnTemplate::token(const std::string& name) const {
  static const std::string kNone;
  const auto found = model_.tokens.find(name);
  return found == model_.tokens.end() ? kNone : found->second;
}

jinja::Rendered OwnTemplate::render(const std::vector<ChatMessage>& messages,
                                    bool add_generation_prompt) const {
  jinja::Variables variables{{"messages", messages_value(messages)},
                             {"tools", jinja::None{}},
                             {"documents", jinja::None{}},
                             {"add_generation_prompt", add_generation_prompt}};
  for (const auto& [name, token] : tokens_) variables.emplace_back(name, token);
  return template_.render(variables, model_.clock);
}

std::string OwnTemplate::text(const std::vector<ChatMessage>& messages,
                              bool add_generation_prompt) const {
  return render(messages, add_generation_prompt).text;
}

WrittenChat::Part OwnTemplate::place_of_answer(const std::vector<ChatMessage>& messages,
                                               size_t answer, const std::string& whole) const {
  std::vector<ChatMessage> marked = messages;
  marked[answer].content = kMark;
  const std::string with_mark = text(marked, false);
  const size_t mark = with_mark.find(kMark);
  const bool is_single =
      mark != std::string::npos && with_mark.find(kMark, mark + 1) == std::string::npos;
  const std::string behind = is_single ? with_mark.substr(mark + kMark.size()) : "";
  if (is_single && whole.size() >= mark + behind.size() && whole.ends_with(behind)) {
    const size_t end = whole.size() - behind.size();
    const std::string prompt =
        text({messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(answer)}, true);
    if (prompt.size() <= end && whole.starts_with(prompt)) return {prompt.size(), end};
    if (whole.compare(0, mark, with_mark, 0, mark) == 0) return {mark, end};
  }
  throw ConfigError(
      concat(name_,
             ": expected a template that writes each answer once, with the same text around it "
             "whatever it says, found another at turn ",
             answer + 1, "; {% generation %} around answers would tell which part is trained"));
}

WrittenChat OwnTemplate::written(const std::vector<ChatMessage>& messages) const {
  jinja::Rendered rendered = render(messages, false);
  WrittenChat chat{.text = std::move(rendered.text), .generated = {}};
  for (const auto& [begin, end] : rendered.generated) chat.generated.push_back({begin, end});
  return chat;
}

}  // namespace xkde
