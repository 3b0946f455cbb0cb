#include "core/text/nllb_tokenizer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/text/did_you_mean.h"
#include "core/text/nllb_languages.h"
#include "core/text/regex/json_place.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSpacePiece = "\u2581";

/// "eng_Latn": three small letters, an underscore, a script of ISO 15924.
bool is_language_code(std::string_view token) {
  const auto within = [&](size_t at, char low, char high) {
    return token[at] >= low && token[at] <= high;
  };
  if (token.size() != 8 || token[3] != '_' || !within(4, 'A', 'Z')) return false;
  return std::ranges::all_of(std::vector<size_t>{0, 1, 2, 5, 6, 7},
                             [&](size_t at) { return within(at, 'a', 'z'); });
}

size_t character_before(std::string_view text, size_t end) {
  size_t begin = end - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return begin;
}

}  // namespace

NllbTokenizer::NllbTokenizer(SentencePiece pieces, fs::path model)
    : pieces_(std::move(pieces)), two_letters_(pieces_.encode("aa")), files_{std::move(model)} {}

NllbTokenizer NllbTokenizer::open(const fs::path& folder) {
  fs::path model = SentencePiece::find(folder);
  if (model.empty()) model = folder / "sentencepiece.bpe.model";
  NllbTokenizer tokenizer(SentencePiece::open_found(model), model);
  const fs::path file = folder / "tokenizer.json";
  if (is_there(file, FileOrigin::kInput)) {
    tokenizer.read_languages(file);
  } else {
    tokenizer.number_languages();
  }
  for (const auto& [code, id] : tokenizer.languages_) tokenizer.special_.add(code, id);
  tokenizer.special_.add("<s>", 0);
  tokenizer.special_.add("<pad>", kPad);
  tokenizer.special_.add("</s>", kEos);
  tokenizer.special_.add("<unk>", kUnknown);
  return tokenizer;
}

void NllbTokenizer::read_languages(const fs::path& tokenizer_file) {
  const Json json = read_json_file(tokenizer_file);
  const JsonPlace added = JsonPlace(json, tokenizer_file.string()).object().at("added_tokens");
  for (size_t i = 0; i < added.array().size(); ++i) {
    const JsonPlace entry = added.item(i);
    const std::string& token = entry.at("content").string();
    const bool language = is_language_code(token);
    if (!language && token != "<mask>") continue;
    const int64_t id = entry.at("id").integer(0, std::numeric_limits<int32_t>::max());
    // A piece's id would mean that the two files do not belong together.
    if (id <= pieces_.size()) {
      entry.at("id").fail(concat("an id behind the ", pieces_.size(), " pieces of ",
                                 files_.front().string(), ", each shifted by one"));
    }
    if (language) {
      languages_[token] = id;
    } else {
      special_.add(token, id, /*takes_spaces=*/true);
    }
  }
  if (languages_.empty()) added.fail("language codes (as eng_Latn) among the added tokens");
  files_.push_back(tokenizer_file);
}

void NllbTokenizer::number_languages() {
  int64_t id = pieces_.size() + 1;
  for (const std::string& code : nllb_language_codes()) languages_[code] = id++;
  special_.add("<mask>", id, /*takes_spaces=*/true);
}

int64_t NllbTokenizer::language_id(std::string_view code) const {
  const auto found = languages_.find(code);
  if (found != languages_.end()) return found->second;
  std::vector<std::pair<size_t, std::string>> close;
  for (const auto& [known, id] : languages_) close.emplace_back(edit_distance(code, known), known);
  std::ranges::sort(close);
  std::string names;
  for (size_t i = 0; i < std::min<size_t>(close.size(), 4); ++i) {
    names += (i == 0 ? "" : ", ") + close[i].second;
  }
  throw ConfigError(concat("NLLB language code: expected one of ", languages_.size(), " known (",
                           names, ", ...), found \"", code, "\""));
}

/// fairseq's dictionary begins with <s>, <pad>, </s>, <unk>, SentencePiece's with <unk>, <s>, </s>.
int64_t NllbTokenizer::shifted(int64_t piece) const {
  return piece == pieces_.unknown_id() ? kUnknown : piece + 1;
}

/// Whether the model's normalizer turns the end of `text` into a space. It has no interface of its
/// own; a character that alone gives nothing and parts two letters is a space, one that does not
/// part them is nothing.
bool NllbTokenizer::ends_in_space(std::string_view text) const {
  for (size_t end = text.size(); end > 0;) {
    const size_t begin = character_before(text, end);
    const std::string character(text.substr(begin, end - begin));
    if (!pieces_.encode(character).empty()) return false;
    if (pieces_.encode("a" + character + "a") != two_letters_) return true;
    end = begin;
  }
  return false;
}

/// SentencePiece drops spaces at the end, transformers keeps one.
void NllbTokenizer::encode_plain(std::string_view text, std::vector<int64_t>& ids) const {
  for (const int64_t piece : pieces_.encode(text)) ids.push_back(shifted(piece));
  if (ends_in_space(text)) {
    const auto space = pieces_.id_of(kSpacePiece);
    ids.push_back(space ? shifted(*space) : kUnknown);
  }
}

std::vector<int64_t> NllbTokenizer::encode(std::string_view text, std::string_view language,
                                           int64_t max_length) const {
  XKDE_CHECK(max_length >= 2, InternalError, "NLLB ids: expected room for two, found ", max_length);
  std::vector<int64_t> ids = {language_id(language)};
  for (const SpecialTokens::Part& part : special_.split(text)) {
    if (part.id) {
      ids.push_back(*part.id);
    } else {
      encode_plain(part.text, ids);
    }
  }
  ids.resize(std::min(ids.size(), static_cast<size_t>(max_length - 1)));
  ids.push_back(kEos);
  return ids;
}

}  // namespace xkde
