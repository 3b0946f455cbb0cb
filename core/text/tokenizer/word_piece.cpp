#include "core/text/tokenizer/word_piece.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include <unicode/uchar.h>

#include "core/base/error.h"
#include "core/base/limits.h"
#include "core/io/file_reader.h"
#include "core/text/regex/json_place.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

uint32_t category_of(char32_t character) { return U_GET_GC_MASK(static_cast<UChar32>(character)); }

/// Tab and line ends count as white space.
bool is_control(char32_t character) {
  if (character == '\t' || character == '\n' || character == '\r') return false;
  return (category_of(character) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) != 0;
}

/// The blocks that BERT sets apart: CJK ideographs without kana and hangul.
bool is_chinese(char32_t character) {
  constexpr std::array<std::pair<char32_t, char32_t>, 8> kBlocks{{{0x4E00, 0x9FFF},
                                                                  {0x3400, 0x4DBF},
                                                                  {0x20000, 0x2A6DF},
                                                                  {0x2A700, 0x2B73F},
                                                                  {0x2B740, 0x2B81F},
                                                                  {0x2B920, 0x2CEAF},
                                                                  {0xF900, 0xFAFF},
                                                                  {0x2F800, 0x2FA1F}}};
  return std::ranges::any_of(kBlocks, [&](const auto& block) {
    return character >= block.first && character <= block.second;
  });
}

std::unique_ptr<Normalizer> decomposition() {
  static const Json form = {{"type", "NFD"}};
  return make_normalizer(JsonPlace(form, "NFD"));
}

}  // namespace

WordPiece::WordPiece() : decompose_(decomposition()) {}

WordPiece WordPiece::open(const fs::path& folder) {
  WordPiece words;
  const fs::path file = folder / "tokenizer.json";
  if (is_there(file, FileOrigin::kInput)) {
    words.read_tokenizer_json(read_json_file(file), file);
  } else {
    words.read_vocab_txt(folder);
  }
  words.finish();
  return words;
}

void WordPiece::read_tokenizer_json(const Json& json, const fs::path& file) {
  const JsonPlace root(json, file.string());
  const JsonPlace model = root.object().at("model");
  if (model.at("type").string() != "WordPiece") model.at("type").fail("\"WordPiece\"");
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  const JsonPlace vocab = model.at("vocab");
  for (const auto& [token, id] : vocab.object().value().items()) {
    // A cheap test first: to find the place of an entry takes as long as the vocabulary.
    const bool sensible = id.is_number_unsigned() && id.get<uint64_t>() <= uint64_t{kMost};
    vocab_[token] = sensible ? id.get<int64_t>() : vocab.at(token).integer(0, kMost);
  }
  unknown_token_ = model.string_or("unk_token", unknown_token_);
  prefix_ = model.string_or("continuing_subword_prefix", prefix_);
  if (prefix_.size() > limits::kLongestWordPrefix) {
    model.at("continuing_subword_prefix")
        .fail(concat("at most ", limits::kLongestWordPrefix, " bytes"));
  }
  if (const auto most = model.find("max_input_chars_per_word")) {
    max_word_ = static_cast<size_t>(most->integer(1, limits::kLongestWord));
  }
  const JsonPlace normalizer = root.at("normalizer");
  if (normalizer.at("type").string() != "BertNormalizer") {
    normalizer.at("type").fail("\"BertNormalizer\"");
  }
  clean_ = normalizer.boolean_or("clean_text", true);
  part_chinese_ = normalizer.boolean_or("handle_chinese_chars", true);
  lowercase_ = normalizer.boolean_or("lowercase", true);
  strip_accents_ = normalizer.boolean_or("strip_accents", lowercase_);
  if (const auto added = root.find("added_tokens")) {
    for (size_t i = 0; i < added->array().size(); ++i) {
      const JsonPlace token = added->item(i);
      const int64_t id = token.at("id").integer(0, kMost);
      special_.add(token.at("content").string(), id, token.boolean_or("lstrip", false));
      vocab_.emplace(token.at("content").string(), id);
    }
  }
  if (const auto post_processor = root.find("post_processor")) read_ends(*post_processor);
  files_ = {file};
}

/// The tokens around a single text.
void WordPiece::read_ends(const JsonPlace& post_processor) {
  const JsonPlace type = post_processor.at("type");
  if (type.string() == "TemplateProcessing") {
    const JsonPlace single = post_processor.at("single");
    if (single.array().size() != 3) single.fail("a token, the text and a token");
    begin_token_ = single.item(0).at("SpecialToken").at("id").string();
    end_token_ = single.item(2).at("SpecialToken").at("id").string();
  } else if (type.string() == "RobertaProcessing" || type.string() == "BertProcessing") {
    begin_token_ = post_processor.at("cls").item(0).string();
    end_token_ = post_processor.at("sep").item(0).string();
  } else {
    type.fail("TemplateProcessing, RobertaProcessing or BertProcessing");
  }
}

void WordPiece::read_vocab_txt(const fs::path& folder) {
  const fs::path file = folder / "vocab.txt";
  std::optional<LineReader> lines = LineReader::open_if_there(file, FileOrigin::kInput);
  XKDE_CHECK(lines, MissingInputError, folder.string(),
             ": expected tokenizer.json or vocab.txt, found neither");
  int64_t id = 0;
  for (std::string line; lines->next(line); ++id) {
    if (line.ends_with('\r')) line.pop_back();
    vocab_[line] = id;
  }
  files_ = {file};
  std::string pad_token = "[PAD]";
  std::string mask_token = "[MASK]";
  const fs::path config_file = folder / "tokenizer_config.json";
  if (is_there(config_file, FileOrigin::kInput)) {
    const Json json = read_json_file(config_file);
    const JsonPlace config(json, config_file.string());
    lowercase_ = config.object().boolean_or("do_lower_case", true);
    part_chinese_ = config.boolean_or("tokenize_chinese_chars", true);
    strip_accents_ = config.boolean_or("strip_accents", lowercase_);
    // A token is its text or, in older files, an object that holds it.
    const auto named = [&](const char* key, const std::string& otherwise) {
      const auto token = config.find(key);
      if (!token) return otherwise;
      return token->is_object() ? token->at("content").string() : token->string();
    };
    begin_token_ = named("cls_token", begin_token_);
    end_token_ = named("sep_token", end_token_);
    unknown_token_ = named("unk_token", unknown_token_);
    pad_token = named("pad_token", pad_token);
    mask_token = named("mask_token", mask_token);
    files_.push_back(config_file);
  }
  for (const std::string& token :
       {pad_token, unknown_token_, begin_token_, end_token_, mask_token}) {
    const auto found = vocab_.find(token);
    const bool takes_spaces = token == "<mask>";  // as transformers has it for this spelling
    if (found != vocab_.end()) special_.add(token, found->second, takes_spaces);
  }
}

int64_t WordPiece::id_of(const std::string& token) const {
  const auto found = vocab_.find(token);
  XKDE_CHECK(found != vocab_.end(), DataError, files_.front().string(), ": expected the token ",
             token, ", found none");
  return found->second;
}

void WordPiece::finish() {
  begin_ = id_of(begin_token_);
  end_ = id_of(end_token_);
  unknown_ = id_of(unknown_token_);
  for (const auto& [token, id] : vocab_) size_ = std::max(size_, id + 1);
}

/// The text with spaces for white space and around CJK characters, without control characters,
/// accents and case.
std::string WordPiece::normalized(std::string_view text) const {
  Piece piece;
  for (size_t at = 0; at < text.size();) {
    const char32_t character = unicode::next(text, at);
    if (clean_ && (character == 0 || character == 0xFFFD || is_control(character))) continue;
    if (part_chinese_ && is_chinese(character)) {
      piece.text += ' ';
      unicode::append(piece.text, character);
      piece.text += ' ';
    } else if (clean_ && unicode::is_whitespace(character)) {
      piece.text += ' ';
    } else {
      unicode::append(piece.text, character);
    }
  }
  if (strip_accents_) decompose_->apply(piece);
  std::string out;
  for (size_t at = 0; at < piece.text.size();) {
    const char32_t character = unicode::next(piece.text, at);
    if (strip_accents_ && (category_of(character) & U_GC_MN_MASK) != 0) continue;
    if (lowercase_) {
      unicode::append_lowercase(out, character);
    } else {
      unicode::append(out, character);
    }
  }
  return out;
}

void WordPiece::encode_word(std::string_view word, std::vector<int64_t>& ids) const {
  if (word.empty()) return;
  if (unicode::length(word) > max_word_) {
    ids.push_back(unknown_);
    return;
  }
  const size_t before = ids.size();
  for (size_t begin = 0; begin < word.size();) {
    size_t end = word.size();
    auto found = vocab_.end();
    for (; end > begin; --end) {
      // A piece ends where a character ends.
      const bool inside =
          end < word.size() && (static_cast<unsigned char>(word[end]) & 0xC0) == 0x80;
      if (inside) continue;
      found =
          vocab_.find((begin == 0 ? "" : prefix_) + std::string(word.substr(begin, end - begin)));
      if (found != vocab_.end()) break;
    }
    if (found == vocab_.end()) {
      // One part that is not known makes the whole word unknown.
      ids.resize(before);
      ids.push_back(unknown_);
      return;
    }
    ids.push_back(found->second);
    begin = end;
  }
}

std::vector<int64_t> WordPiece::encode(std::string_view text, int64_t max_length) const {
  const size_t invalid = unicode::first_invalid_byte(text);
  XKDE_CHECK(invalid == std::string_view::npos, DataError,
             "text to encode: expected UTF-8, found byte ",
             static_cast<int>(static_cast<unsigned char>(text[invalid])), " at offset ", invalid);
  XKDE_CHECK(max_length >= 2, InternalError, "BERT ids: expected room for two, found ", max_length);
  std::vector<int64_t> ids = {begin_};
  for (const SpecialTokens::Part& part : special_.split(text)) {
    if (part.id) {
      ids.push_back(*part.id);
      continue;
    }
    const std::string clean = normalized(part.text);
    size_t begin = 0;
    for (size_t at = 0; at < clean.size();) {
      const size_t start = at;
      const char32_t character = unicode::next(clean, at);
      const bool mark = unicode::is_punctuation(character);
      if (!mark && !unicode::is_whitespace(character)) continue;
      encode_word(std::string_view(clean).substr(begin, start - begin), ids);
      if (mark) encode_word(std::string_view(clean).substr(start, at - start), ids);
      begin = at;
    }
    encode_word(std::string_view(clean).substr(begin), ids);
  }
  ids.resize(std::min(ids.size(), static_cast<size_t>(max_length - 1)));
  ids.push_back(end_);
  return ids;
}

}  // namespace xkde
