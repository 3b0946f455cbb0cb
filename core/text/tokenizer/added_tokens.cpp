#include "core/text/tokenizer/added_tokens.h"

#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

constexpr size_t kFirstBytes = 256;

/// Start of the last character before `end`, of well-formed text.
size_t previous_character(std::string_view text, size_t end) {
  do {
    --end;
  } while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

size_t whitespace_begin(std::string_view text, size_t end, size_t least) {
  while (end > least) {
    const size_t start = previous_character(text, end);
    size_t position = start;
    if (!unicode::is_whitespace(unicode::next(text, position))) break;
    end = start;
  }
  return end;
}

size_t whitespace_end(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    size_t position = begin;
    if (!unicode::is_whitespace(unicode::next(text, position))) break;
    begin = position;
  }
  return begin;
}

}  // namespace

void AddedTokens::Needles::add(Needle needle) {
  if (by_first_byte.empty()) by_first_byte.resize(kFirstBytes);
  auto& bucket = by_first_byte[static_cast<unsigned char>(needle.text.front())];
  const auto shorter = [&](const Needle& other) { return other.text.size() < needle.text.size(); };
  bucket.insert(std::find_if(bucket.begin(), bucket.end(), shorter), std::move(needle));
}

const AddedTokens::Needle* AddedTokens::Needles::match(std::string_view text,
                                                       size_t position) const {
  for (const Needle& needle : by_first_byte[static_cast<unsigned char>(text[position])]) {
    if (text.compare(position, needle.text.size(), needle.text) == 0) return &needle;
  }
  return nullptr;
}

AddedTokens::AddedTokens(const JsonPlace& list, const Bpe& model, const Normalizer* normalizer) {
  if (list.is_null()) return;
  for (size_t i = 0; i < list.array().size(); ++i) {
    AddedToken token = read(list.item(i), model);
    largest_id_ = std::max(largest_id_, token.id);
    index_of_id_.emplace(token.id, i);
    index_of_content_.emplace(token.content, i);
    tokens_.push_back(std::move(token));
  }
  for (const bool special : {true, false}) {
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].special == special) add_needle(i, normalizer);
    }
  }
}

AddedToken AddedTokens::read(const JsonPlace& place, const Bpe& model) const {
  AddedToken token;
  token.id = place.at("id").integer(0, std::numeric_limits<int32_t>::max() - 1);
  token.content = place.at("content").string();
  token.single_word = place.at("single_word").boolean();
  token.lstrip = place.at("lstrip").boolean();
  token.rstrip = place.at("rstrip").boolean();
  token.normalized = place.at("normalized").boolean();
  token.special = place.at("special").boolean();
  if (token.content.empty()) place.at("content").fail("a text that is not empty");
  if (index_of_content_.contains(token.content)) place.at("content").fail("each added token once");
  const auto vocabulary_size = static_cast<int64_t>(model.size());
  const int64_t next_free = std::max(vocabulary_size, largest_id_ + 1);
  const int64_t expected = model.id_of(token.content).value_or(next_free);
  if (token.id != expected) {
    place.at("id").fail(concat(expected, model.id_of(token.content) ? ", its id in the vocabulary"
                                                                    : ", the next free id"));
  }
  return token;
}

void AddedTokens::add_needle(size_t index, const Normalizer* normalizer) {
  AddedToken& token = tokens_[index];
  token.shown = token.content;
  if (!token.normalized) {
    raw_.add({token.content, index});
    return;
  }
  Piece piece{token.content, false};
  if (normalizer != nullptr) normalizer->apply(piece);
  token.shown = piece.text;
  // A token that the normalizer removes is never found, as in the library.
  if (!piece.text.empty()) normalized_.add({piece.text, index});
}

bool AddedTokens::stands_alone(std::string_view text, Span span) const {
  if (span.begin > 0) {
    size_t position = previous_character(text, span.begin);
    if (unicode::is_word(unicode::next(text, position))) return false;
  }
  if (span.end < text.size()) {
    size_t position = span.end;
    if (unicode::is_word(unicode::next(text, position))) return false;
  }
  return true;
}

std::vector<AddedTokenPart> AddedTokens::split(std::string_view text, bool normalized) const {
  const Needles& needles = normalized ? normalized_ : raw_;
  if (text.empty()) return {};
  if (needles.by_first_byte.empty()) return {{{0, text.size()}, std::nullopt}};
  std::vector<AddedTokenPart> parts;
  size_t done = 0;
  for (size_t position = 0; position < text.size();) {
    const Needle* needle = needles.match(text, position);
    if (needle == nullptr) {
      ++position;
      continue;
    }
    const AddedToken& token = tokens_[needle->token];
    Span span{position, position + needle->text.size()};
    position = span.end;  // also past a match that is turned down
    if (token.single_word && !stands_alone(text, span)) continue;
    if (token.lstrip) span.begin = whitespace_begin(text, span.begin, std::min(done, span.begin));
    if (token.rstrip) span.end = whitespace_end(text, span.end);
    if (done < span.begin) parts.push_back({{done, span.begin}, std::nullopt});
    parts.push_back({span, token.id});
    done = span.end;
  }
  if (done < text.size()) parts.push_back({{done, text.size()}, std::nullopt});
  return parts;
}

const AddedToken* AddedTokens::by_id(int64_t id) const {
  const auto found = index_of_id_.find(id);
  return found == index_of_id_.end() ? nullptr : &tokens_[found->second];
}

std::optional<int64_t> AddedTokens::id_of(std::string_view content) const {
  const auto found = index_of_content_.find(content);
  if (found == index_of_content_.end()) return std::nullopt;
  return tokens_[found->second].id;
}

bool AddedTokens::is_special(std::string_view content) const {
  const auto found = index_of_content_.find(content);
  return found != index_of_content_.end() && tokens_[found->second].special;
}

}  // namespace xkde
