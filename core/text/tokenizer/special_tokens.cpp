#include "core/text/tokenizer/special_tokens.h"

#include <algorithm>

#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

std::string_view without_spaces_at_end(std::string_view text) {
  // What is not UTF-8 is refused when it is encoded.
  if (unicode::first_invalid_byte(text) != std::string_view::npos) return text;
  size_t end = 0;
  for (size_t at = 0; at < text.size();) {
    if (!unicode::is_whitespace(unicode::next(text, at))) end = at;
  }
  return text.substr(0, end);
}

}  // namespace

void SpecialTokens::add(const std::string& token, int64_t id, bool takes_spaces) {
  if (token.empty()) return;
  tokens_[token] = {id, takes_spaces};
  first_bytes_[static_cast<unsigned char>(token.front())] = true;
  size_ = std::max(size_, id + 1);
}

std::vector<SpecialTokens::Part> SpecialTokens::split(std::string_view text) const {
  std::vector<Part> parts;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const std::pair<const std::string, Token>* found = nullptr;
    if (first_bytes_[static_cast<unsigned char>(text[at])]) {
      for (const auto& token : tokens_) {
        const bool longer = found == nullptr || token.first.size() > found->first.size();
        if (longer && text.substr(at).starts_with(token.first)) found = &token;
      }
    }
    if (found == nullptr) {
      ++at;
      continue;
    }
    std::string_view before = text.substr(done, at - done);
    if (found->second.takes_spaces) before = without_spaces_at_end(before);
    if (!before.empty()) parts.push_back({before, std::nullopt});
    parts.push_back({{}, found->second.id});
    done = at += found->first.size();
  }
  if (done < text.size()) parts.push_back({text.substr(done), std::nullopt});
  return parts;
}

}  // namespace xkde
