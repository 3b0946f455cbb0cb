#include "core/text/tokenizer/sentencepiece_vocabulary.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "core/base/error.h"
#include "core/base/limits.h"
#include "core/text/regex/unicode.h"
#include "core/text/sentencepiece/sentencepiece_check.h"
#include "core/text/tokenizer/bpe.h"

namespace xkde {
namespace {

constexpr std::string_view kBlank = "\xE2\x96\x81";  // U+2581, SentencePiece's blank
constexpr const char* kWayOut =
    "; write tokenizer.json once with transformers: AutoTokenizer.from_pretrained(DIR)"
    ".save_pretrained(DIR)";

/// The keys of tokenizer_config.json that name a token, in the order in which transformers adds
/// those that the vocabulary lacks.
constexpr std::array<const char*, 7> kNamedTokens = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

/// What a class of transformers makes of a model.
struct Style {
  std::string_view class_prefix;  ///< of tokenizer_class; empty: any other
  bool is_gemma;                  ///< splits and normalizes as GemmaTokenizer
  bool is_legacy;                 ///< what `legacy` is where the config does not say
  /// Names of bos, eos, unk, pad and mask where the config does not say; empty: no such token.
  std::array<const char*, 5> names;
};
constexpr std::array<Style, 3> kStyles = {{
    {"Llama", false, false, {"<s>", "</s>", "<unk>", "", ""}},
    {"Gemma", true, false, {"<bos>", "<eos>", "<unk>", "<pad>", "<mask>"}},
    {"", false, true, {"<s>", "</s>", "<unk>", "", ""}},
}};

const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

class SentencePieceVocabulary {
 public:
  SentencePieceVocabulary(SentencePieceParts parts, const Json& config, const Json& added,
                          std::string name)
      : parts_(std::move(parts)),
        config_(config.is_object() ? config : Json::object()),
        name_(std::move(name)),
        style_(style_of(config_)) {
    check_model();
    for (const SentencePieceParts::Piece& piece : parts_.pieces) {
      const auto id = static_cast<int64_t>(tokens_.size());
      XKDE_CHECK(ids_.emplace(piece.text, id).second, DataError, name_, ": pieces[", id,
                 "]: expected each piece once, found \"", piece.text, "\" again");
      tokens_.push_back(piece.text);
      if (piece.kind == SentencePieceParts::Kind::kControl) add_token(id, piece.text, true);
      if (piece.kind == SentencePieceParts::Kind::kUserDefined) add_token(id, piece.text, false);
    }
    read_added(added);
    read_names();
  }

  TokenizerFiles files() {
    Json tokenizer = empty_tokenizer();
    tokenizer["added_tokens"] = Json::array();
    for (const auto& [id, token] : added_) tokenizer["added_tokens"].push_back(token);
    const bool prefixes = puts_blank_in_front();
    if (style_.is_gemma) {
      tokenizer["normalizer"] = {
          {"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kBlank}};
    } else {
      const bool is_legacy = flag("legacy", style_.is_legacy);
      tokenizer["pre_tokenizer"] = {
          {"type", "Metaspace"},
          {"replacement", kBlank},
          {"prepend_scheme", !prefixes ? "never" : (is_legacy ? "always" : "first")},
          {"split", false}};
    }
    tokenizer["decoder"] = decoder(prefixes && !style_.is_gemma);
    tokenizer["post_processor"] = post_processor_of(end_token("add_bos_token", "bos_token"),
                                                    end_token("add_eos_token", "eos_token"));
    tokenizer["model"] = model();
    return {std::move(tokenizer), std::move(config_)};
  }

 private:
  static const Style& style_of(const Json& config) {
    const Json* found = find(config, "tokenizer_class");
    const std::string name =
        found != nullptr && found->is_string() ? found->get<std::string>() : "";
    for (const Style& style : kStyles) {
      if (name.starts_with(style.class_prefix)) return style;
    }
    throw InternalError("every tokenizer_class has a style");
  }

  void check_model() const {
    XKDE_CHECK(!parts_.pieces.empty(), DataError, name_, ": expected pieces, found none");
    XKDE_CHECK(parts_.is_bpe, DataError, name_,
               ": expected a BPE model, found another kind (Unigram)", kWayOut);
    XKDE_CHECK(
        parts_.falls_back_to_bytes, DataError, name_,
        ": expected a model that spells unknown characters in bytes, found one that does not",
        kWayOut);
    XKDE_CHECK(!parts_.maps_characters && !parts_.removes_blanks, DataError, name_,
               ": normalizer_spec: expected one that keeps the text, found one that changes it",
               kWayOut);
  }

  bool flag(const char* key, bool otherwise) const {
    const Json* found = find(config_, key);
    if (found == nullptr) return otherwise;
    XKDE_CHECK(found->is_boolean(), DataError, name_, " (tokenizer_config): ", key,
               ": expected true or false, found ", found->dump());
    return found->get<bool>();
  }

  bool puts_blank_in_front() const {
    const bool usual = style_.class_prefix.empty() ? parts_.puts_blank_in_front : !style_.is_gemma;
    return flag("add_prefix_space", usual);
  }

  Json& add_token(int64_t id, const std::string& content, bool is_special) {
    const auto before = added_.find(id);
    if (before != added_.end()) added_ids_.erase(before->second["content"].get<std::string>());
    added_ids_.insert_or_assign(content, id);
    added_[id] = {
        {"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
        {"rstrip", false}, {"normalized", false}, {"special", is_special}};
    return added_[id];
  }

  /// The tokens that were added to the pieces: of tokenizer_config.json, else of added_tokens.json.
  void read_added(const Json& added) {
    const Json* decoder = find(config_, "added_tokens_decoder");
    if (decoder == nullptr && added.is_null()) return;
    const Json& list = decoder != nullptr ? *decoder : added;
    const std::string place =
        name_ +
        (decoder != nullptr ? " (tokenizer_config): added_tokens_decoder" : " (added_tokens)");
    XKDE_CHECK(list.is_object(), DataError, place, ": expected an object, found ", list.dump());
    for (const auto& [key, value] : list.items()) {
      if (decoder != nullptr) {
        add_described(key, value, place);
      } else {
        const bool is_id =
            value.is_number_unsigned() && value.get<uint64_t>() < (uint64_t{1} << 31U);
        XKDE_CHECK(is_id, DataError, place, ": ", key, ": expected an id, found ", value.dump());
        add_token(value.get<int64_t>(), key, false)["normalized"] = true;
      }
    }
  }

  void add_described(const std::string& key, const Json& value, const std::string& place) {
    const bool is_number =
        !key.empty() && key.size() <= 9 && key.find_first_not_of("0123456789") == std::string::npos;
    XKDE_CHECK(is_number, DataError, place, ": expected ids, found \"", key, "\"");
    const Json* content = find(value, "content");
    XKDE_CHECK(content != nullptr && content->is_string(), DataError, place, ".", key,
               ".content: expected a text, found ",
               content == nullptr ? std::string("none") : content->dump());
    Json& token = add_token(std::stoll(key), content->get<std::string>(), false);
    for (const char* name : {"single_word", "lstrip", "rstrip", "normalized", "special"}) {
      if (const Json* given = find(value, name)) token[name] = *given;
    }
  }

  /// Tokens that a key names are special. One that nothing has yet is added behind the others.
  void read_names() {
    for (size_t i = 0; i < kNamedTokens.size(); ++i) {
      const char* key = kNamedTokens[i];
      const std::string content = named(key);
      if (content.empty()) continue;
      make_special(content);
      config_[key] = content;
    }
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
      const Json* list = find(config_, key);
      if (list == nullptr || !list->is_array()) continue;
      for (const Json& token : *list) make_special(content_of(token, key));
    }
  }

  std::string content_of(const Json& token, const char* key) const {
    const Json* text = token.is_object() ? find(token, "content") : &token;
    XKDE_CHECK(text != nullptr && text->is_string(), DataError, name_, " (tokenizer_config): ", key,
               ": expected a token, found ", token.dump());
    return text->get<std::string>();
  }

  std::string named(const char* key) const {
    if (const Json* given = find(config_, key)) return content_of(*given, key);
    constexpr std::array<std::string_view, 5> kUsual = {"bos_token", "eos_token", "unk_token",
                                                        "pad_token", "mask_token"};
    const auto usual = std::find(kUsual.begin(), kUsual.end(), std::string_view(key));
    if (usual == kUsual.end()) return {};
    const std::string name = style_.names[static_cast<size_t>(usual - kUsual.begin())];
    return ids_.contains(name) ? name : std::string();
  }

  void make_special(const std::string& content) {
    const auto id = id_of(content);
    const int64_t next = std::max(static_cast<int64_t>(tokens_.size()),
                                  added_.empty() ? 0 : added_.rbegin()->first + 1);
    const auto found = id ? added_.find(*id) : added_.end();
    if (found == added_.end()) {
      add_token(id.value_or(next), content, true);
    } else {
      found->second["special"] = true;
      found->second["normalized"] = false;
    }
  }

  std::optional<int64_t> id_of(const std::string& content) const {
    for (const StringMap<int64_t>* ids : {&added_ids_, &ids_}) {
      const auto found = ids->find(content);
      if (found != ids->end()) return found->second;
    }
    return std::nullopt;
  }

  std::optional<EndToken> end_token(const char* flag_key, const char* name_key) const {
    const std::string content = named(name_key);
    const auto id = id_of(content);
    if (!flag(flag_key, false) || content.empty() || !id) return std::nullopt;
    return EndToken{*id, content};
  }

  static Json decoder(bool strips_blank) {
    Json decoders = Json::array();
    decoders.push_back({{"type", "Replace"}, {"pattern", {{"String", kBlank}}}, {"content", " "}});
    decoders.push_back({{"type", "ByteFallback"}});
    decoders.push_back({{"type", "Fuse"}});
    if (strips_blank)
      decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    return {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
  }

  Json model() const {
    std::vector<bool> is_normal;
    std::vector<double> ranks;
    for (const SentencePieceParts::Piece& piece : parts_.pieces) {
      is_normal.push_back(piece.kind == SentencePieceParts::Kind::kNormal);
      ranks.push_back(static_cast<double>(ranks.size()));
    }
    const std::string unknown = style_.is_gemma ? named("unk_token") : "";
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", unknown.empty() ? Json(nullptr) : Json(unknown)},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"ignore_merges", false},
            {"vocab", vocabulary_of(tokens_)},
            {"merges", merges_of_pieces(tokens_, is_normal, ranks, CutOrder::kShortLeftFirst,
                                        name_ + ": pieces")}};
  }

  SentencePieceParts parts_;
  Json config_;
  std::string name_;
  const Style& style_;
  std::vector<std::string> tokens_;
  StringMap<int64_t> ids_;
  std::map<int64_t, Json> added_;  ///< by id
  StringMap<int64_t> added_ids_;   ///< by content
};

/// A piece cut into two others.
struct Cut {
  double rank;
  size_t left_length;  ///< in characters
  size_t right_length;
  int64_t left;  ///< ids
  int64_t right;
};

}  // namespace

Json empty_tokenizer() {
  return {{"version", "1.0"},          {"truncation", nullptr}, {"padding", nullptr},
          {"added_tokens", nullptr},   {"normalizer", nullptr}, {"pre_tokenizer", nullptr},
          {"post_processor", nullptr}, {"decoder", nullptr},    {"model", nullptr}};
}

Json vocabulary_of(std::span<const std::string> tokens) {
  Json::object_t entries;
  entries.reserve(tokens.size());
  // Straight into the underlying vector: its own insertion searches linearly, and no token comes
  // twice.
  for (size_t i = 0; i < tokens.size(); ++i)
    entries.Json::object_t::Container::emplace_back(tokens[i], i);
  return Json(std::move(entries));
}

Json merges_of_pieces(std::span<const std::string> tokens, const std::vector<bool>& is_normal,
                      std::span<const double> ranks, CutOrder order, const std::string& place) {
  StringMap<int64_t> ids;
  std::vector<bool> is_length;  // of a piece, in bytes: no other part of one is looked up
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!is_normal[i]) continue;
    ids.emplace(tokens[i], static_cast<int64_t>(i));
    if (tokens[i].size() >= is_length.size()) is_length.resize(tokens[i].size() + 1);
    is_length[tokens[i].size()] = true;
  }
  std::vector<Cut> cuts;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!is_normal[i]) continue;
    const std::string_view token(tokens[i]);
    XKDE_CHECK(token.size() <= limits::kLongestScoredToken, DataError, place, "[", i,
               "]: expected at most ", limits::kLongestScoredToken,
               " bytes of a token with a score, found ", token.size());
    const size_t length = unicode::length(token);
    const size_t first = cuts.size();
    size_t end = 0;
    for (size_t left_length = 1; left_length < length; ++left_length) {
      unicode::next(token, end);
      if (!is_length[end] || !is_length[token.size() - end]) continue;
      const auto left = ids.find(token.substr(0, end));
      const auto right = ids.find(token.substr(end));
      if (left == ids.end() || right == ids.end()) continue;
      cuts.push_back({ranks[i], left_length, length - left_length, left->second, right->second});
    }
    std::sort(cuts.begin() + static_cast<std::ptrdiff_t>(first), cuts.end(),
              [](const Cut& a, const Cut& b) {
                return std::pair(a.left, a.right) < std::pair(b.left, b.right);
              });
  }
  std::stable_sort(cuts.begin(), cuts.end(), [&](const Cut& a, const Cut& b) {
    if (a.rank != b.rank) return a.rank < b.rank;
    const std::pair lengths_a(a.left_length, a.right_length);
    const std::pair lengths_b(b.left_length, b.right_length);
    return order == CutOrder::kShortLeftFirst ? lengths_a < lengths_b : lengths_a > lengths_b;
  });
  Json merges = Json::array();
  for (const Cut& cut : cuts) {
    merges.push_back(Json::array(
        {tokens[static_cast<size_t>(cut.left)], tokens[static_cast<size_t>(cut.right)]}));
  }
  return merges;
}

Json post_processor_of(const std::optional<EndToken>& before,
                       const std::optional<EndToken>& after) {
  if (!before && !after) return nullptr;
  Json special = Json::object();
  const auto wrapped = [&](const char* sequence, int type_id) {
    Json items = Json::array();
    const auto add = [&](const std::optional<EndToken>& token) {
      if (!token) return;
      items.push_back({{"SpecialToken", {{"id", token->content}, {"type_id", type_id}}}});
      special[token->content] = {{"id", token->content},
                                 {"ids", Json::array({token->id})},
                                 {"tokens", Json::array({token->content})}};
    };
    add(before);
    items.push_back({{"Sequence", {{"id", sequence}, {"type_id", type_id}}}});
    add(after);
    return items;
  };
  Json single = wrapped("A", 0);
  Json pair = single;
  for (Json& item : wrapped("B", 1)) pair.push_back(std::move(item));
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(special)}};
}

TokenizerFiles tokenizer_files_from_sentencepiece(std::string_view model, const Json& config,
                                                  const Json& added, const std::string& name) {
  return SentencePieceVocabulary(parts_of_sentencepiece_model(model, name), config, added, name)
      .files();
}

}  // namespace xkde
