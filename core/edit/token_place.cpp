#include "core/edit/token_place.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/text/tokenizer/byte_alphabet.h"

namespace xkde {
namespace {

using Ids = std::vector<int64_t>;

/// How many of `ids` stand before those of the text.
size_t ids_in_front(const Tokenizer& tokenizer, std::string_view text, const Ids& own,
                    std::span<const int64_t> ids) {
  const size_t before = tokenizer.encode_beginning(text).size() - own.size();
  for (const size_t front : {before, size_t{0}}) {
    if (ids.size() >= front + own.size() &&
        std::equal(own.begin(), own.end(), ids.begin() + static_cast<std::ptrdiff_t>(front)))
      return front;
  }
  throw DataError(concat("token of a place: expected ids that begin with the ", own.size(),
                         " of the text, found ", ids.size(), " others"));
}

std::string spelled_bytes(const std::string& token) {
  return byte_alphabet::unspell(token).value_or(token);
}

std::string blanks(const std::string& token) {
  constexpr std::string_view kBlank = "\u2581";
  std::string text;
  for (size_t i = 0; i < token.size();) {
    const bool is_blank = std::string_view(token).substr(i).starts_with(kBlank);
    text += is_blank ? ' ' : token[i];
    i += is_blank ? kBlank.size() : 1;
  }
  return text;
}

std::string blanks_and_bytes(const std::string& token) {
  constexpr std::string_view kByte = "<0x";
  if (token.size() == 6 && token.starts_with(kByte) && token.ends_with('>')) {
    unsigned value = 0;
    const char* const digits = token.data() + kByte.size();
    const auto result = std::from_chars(digits, digits + 2, value, 16);
    if (result.ec == std::errc() && result.ptr == digits + 2)
      return std::string(1, static_cast<char>(value));
  }
  return blanks(token);
}

std::string itself(const std::string& token) { return token; }

/// Where each token ends in the text that they give together, which may lack a first blank.
std::optional<std::vector<size_t>> token_ends(const std::vector<std::string>& tokens,
                                              std::string_view shown,
                                              std::string (*bytes_of)(const std::string&)) {
  std::string all;
  std::vector<size_t> ends;
  for (const std::string& token : tokens) {
    all += bytes_of(token);
    ends.push_back(all.size());
  }
  if (all == shown) return ends;
  if (!all.starts_with(' ') || std::string_view(all).substr(1) != shown) return std::nullopt;
  for (size_t& end : ends) end -= std::min<size_t>(end, 1);
  return ends;
}

std::vector<size_t> token_ends(const Tokenizer& tokenizer, const Ids& ids, std::string_view shown) {
  std::vector<std::string> tokens;
  for (const int64_t id : ids) tokens.push_back(tokenizer.id_to_token(id).value_or(""));
  for (const auto& bytes_of : {spelled_bytes, blanks_and_bytes, blanks, itself}) {
    if (auto ends = token_ends(tokens, shown, bytes_of)) return *std::move(ends);
  }
  throw DataError(
      "token of a place: expected a tokenizer whose tokens are bytes or SentencePiece's pieces, "
      "found one of another kind");
}

}  // namespace

int64_t last_token_of(const Tokenizer& tokenizer, std::string_view text, size_t end,
                      std::span<const int64_t> ids) {
  const bool is_bound =
      end == text.size() ||
      (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0U) != 0x80U);
  XKDE_CHECK(end > 0 && is_bound, DataError, "token of a place: expected the end of one of ",
             text.size(), " bytes of characters, found byte ", end);
  const Ids own = tokenizer.encode(text);
  const size_t front = ids_in_front(tokenizer, text, own, ids);
  const std::string shown = tokenizer.decode(own, false);
  const std::string before = shown == text
                                 ? shown.substr(0, end)
                                 : tokenizer.decode(tokenizer.encode(text.substr(0, end)), false);
  XKDE_CHECK(shown.starts_with(before), DataError, "token of a place: expected \"", before,
             "\" at the start of what the tokenizer makes of the text, found \"", shown, "\"");
  const std::vector<size_t> ends = token_ends(tokenizer, own, shown);
  const auto last = std::lower_bound(ends.begin(), ends.end(), before.size());
  XKDE_CHECK(last != ends.end(), InternalError, "token of a place: tokens end before their text");
  return static_cast<int64_t>(front) + (last - ends.begin());
}

}  // namespace xkde
