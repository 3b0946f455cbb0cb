#include "core/text/tokenizer/gguf_vocabulary.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/text/regex/unicode.h"
#include "core/text/tokenizer/bpe.h"
#include "core/text/tokenizer/gguf_kinds.h"

namespace xkde {
namespace {

/// The kind of files that do not say it, as those made before May 2024: that of the architecture's
/// own models.
struct ArchitectureKind {
  std::string_view architecture;
  std::string_view token;  ///< which only those models have; empty: all have one kind
  std::string_view kind;
};
constexpr std::array<ArchitectureKind, 4> kArchitectureKinds = {{
    {"gpt2", "", "gpt-2"},
    {"llama", "<|begin_of_text|>", "llama-bpe"},
    {"qwen2", "", "qwen2"},
    {"qwen3", "", "qwen2"},
}};

class GgufVocabulary {
 public:
  explicit GgufVocabulary(const GgufFile& file)
      : file_(file), name_(file.path().string()), tokens_(file.strings("tokenizer.ggml.tokens")) {
    XKDE_CHECK(!tokens_.empty(), DataError, name_,
               ": tokenizer.ggml.tokens: expected tokens, found none");
    read_ids();
    read_types();
    bos_ = special_id("bos");
    eos_ = special_id("eos");
    unk_ = special_id("unknown");
    pad_ = special_id("padding");
  }

  TokenizerFiles files() {
    const std::string& model = file_.string("tokenizer.ggml.model");
    TokenizerFiles result;
    if (model == "gpt2") {
      byte_level(result.tokenizer);
    } else if (model == "llama") {
      sentence_piece(result.tokenizer);
    } else {
      throw DataError(concat(
          name_, ": tokenizer.ggml.model: expected \"gpt2\" or \"llama\", found \"", model, "\""));
    }
    result.config = config();
    return result;
  }

 private:
  std::string place(std::string_view key, size_t index) const {
    return concat(name_, ": ", key, "[", index, "]");
  }

  void read_ids() {
    ids_.reserve(tokens_.size());
    for (size_t i = 0; i < tokens_.size(); ++i) {
      XKDE_CHECK(!tokens_[i].empty(), DataError, place("tokenizer.ggml.tokens", i),
                 ": expected a token, found an empty string");
      XKDE_CHECK(unicode::first_invalid_byte(tokens_[i]) == std::string_view::npos, DataError,
                 place("tokenizer.ggml.tokens", i), ": expected UTF-8, found other bytes");
      const auto [entry, is_new] = ids_.emplace(tokens_[i], static_cast<int64_t>(i));
      XKDE_CHECK(is_new, DataError, place("tokenizer.ggml.tokens", i),
                 ": expected each token once, found \"", tokens_[i], "\" also at ", entry->second);
    }
  }

  void read_types() {
    types_.assign(tokens_.size(), kGgufNormal);
    if (!file_.has("tokenizer.ggml.token_type")) return;
    types_ = file_.integers("tokenizer.ggml.token_type");
    XKDE_CHECK(types_.size() == tokens_.size(), DataError, name_,
               ": tokenizer.ggml.token_type: expected ", tokens_.size(), " values, found ",
               types_.size());
    for (size_t i = 0; i < types_.size(); ++i) {
      XKDE_CHECK(types_[i] >= kGgufNormal && types_[i] <= kGgufByte, DataError,
                 place("tokenizer.ggml.token_type", i), ": expected a type in [1, 6], found ",
                 types_[i]);
    }
  }

  std::optional<size_t> special_id(const std::string& kind) const {
    const std::string key = concat("tokenizer.ggml.", kind, "_token_id");
    if (!file_.has(key)) return std::nullopt;
    const int64_t id = file_.integer(key);
    XKDE_CHECK(id >= 0 && id < static_cast<int64_t>(tokens_.size()), DataError, name_, ": ", key,
               ": expected an id in [0, ", tokens_.size(), "), found ", id);
    return static_cast<size_t>(id);
  }

  bool flag(const std::string& key, bool otherwise) const {
    return file_.has(key) ? file_.boolean(key) : otherwise;
  }

  Json file_merges() const {
    Json merges = Json::array();
    const auto& list = file_.strings("tokenizer.ggml.merges");
    for (size_t i = 0; i < list.size(); ++i) {
      const size_t blank = list[i].find(' ');
      XKDE_CHECK(blank != std::string::npos && list[i].find(' ', blank + 1) == std::string::npos,
                 DataError, place("tokenizer.ggml.merges", i),
                 ": expected two tokens parted by one blank, found \"", list[i], "\"");
      const std::string left = list[i].substr(0, blank);
      const std::string right = list[i].substr(blank + 1);
      for (const std::string& token : {left, right, left + right}) {
        XKDE_CHECK(ids_.contains(token), DataError, place("tokenizer.ggml.merges", i),
                   ": expected tokens of the vocabulary, found \"", token, "\" in \"", list[i],
                   "\"");
      }
      merges.push_back(Json::array({left, right}));
    }
    return merges;
  }

  Json added_tokens() const {
    Json list = Json::array();
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const bool is_named = i == bos_ || i == eos_ || i == unk_ || i == pad_;
      const bool is_special = is_named || types_[i] == kGgufControl || types_[i] == kGgufUnknown;
      if (!is_special && types_[i] != kGgufUserDefined) continue;
      list.push_back({{"id", i},
                      {"content", tokens_[i]},
                      {"single_word", false},
                      {"lstrip", false},
                      {"rstrip", false},
                      {"normalized", false},
                      {"special", is_special}});
    }
    return list;
  }

  Json scored_merges() const {
    const auto& scores = file_.numbers("tokenizer.ggml.scores");
    XKDE_CHECK(scores.size() == tokens_.size(), DataError, name_,
               ": tokenizer.ggml.scores: expected ", tokens_.size(), " values, found ",
               scores.size());
    std::vector<bool> is_normal;
    for (const int64_t type : types_) is_normal.push_back(type == kGgufNormal);
    std::vector<double> ranks;
    for (const double score : scores) ranks.push_back(-score);
    return merges_of_pieces(tokens_, is_normal, ranks, CutOrder::kLongLeftFirst,
                            name_ + ": tokenizer.ggml.tokens");
  }

  Json post_processor(bool adds_bos, bool adds_eos) const {
    XKDE_CHECK(!adds_bos || bos_, DataError, name_,
               ": tokenizer.ggml.bos_token_id: expected an id, as BOS is to be added, found none");
    XKDE_CHECK(!adds_eos || eos_, DataError, name_,
               ": tokenizer.ggml.eos_token_id: expected an id, as EOS is to be added, found none");
    const auto end = [&](bool adds, const std::optional<size_t>& id) -> std::optional<EndToken> {
      if (!adds) return std::nullopt;
      return EndToken{static_cast<int64_t>(*id), tokens_[*id]};
    };
    return post_processor_of(end(adds_bos, bos_), end(adds_eos, eos_));
  }

  static Json byte_level_step(bool use_regex) {
    return {{"type", "ByteLevel"},
            {"add_prefix_space", false},
            {"trim_offsets", true},
            {"use_regex", use_regex}};
  }

  Json model(Json merges, const GgufByteLevelKind* kind) const {
    const bool has_unk = kind == nullptr && unk_;
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", has_unk ? Json(tokens_[*unk_]) : Json(nullptr)},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", kind == nullptr},
            {"byte_fallback", kind == nullptr},
            {"ignore_merges", kind != nullptr && kind->ignore_merges},
            {"vocab", vocabulary_of(tokens_)},
            {"merges", std::move(merges)}};
  }

  const GgufByteLevelKind& byte_level_kind() const {
    const std::string said = file_.has(kGgufPre) ? file_.string(kGgufPre) : "";
    // llama.cpp's converter once wrote "default" where it knew no better.
    const std::string_view name = said.empty() || said == "default" ? usual_kind(said) : said;
    for (const GgufByteLevelKind& kind : kGgufByteLevelKinds) {
      if (kind.name == name) return kind;
    }
    throw DataError(concat(name_, ": ", kGgufPre, ": expected one of ", kind_names(), ", found \"",
                           name, "\""));
  }

  /// The kind of the architecture, as the file says nothing or "default".
  std::string_view usual_kind(const std::string& said) const {
    const std::string found = said.empty() ? "none" : concat("\"", said, "\"");
    const std::string architecture =
        file_.has("general.architecture") ? file_.string("general.architecture") : "";
    for (const ArchitectureKind& known : kArchitectureKinds) {
      if (known.architecture != architecture) continue;
      if (!known.token.empty() && !ids_.contains(known.token)) continue;
      log::shared_warning(concat(name_, ": ", kGgufPre, ": found ", found, "; text is split as ",
                                 known.kind, ", as is usual for ", architecture, " files"));
      return known.kind;
    }
    throw DataError(concat(name_, ": ", kGgufPre, ": expected one of ", kind_names(), ", found ",
                           found, ", and \"", architecture,
                           "\" files have no usual one; write it once: gguf-new-metadata "
                           "--pre-tokenizer NAME IN.gguf OUT.gguf (PyPI's gguf)"));
  }

  static std::string kind_names() {
    std::string names;
    for (const GgufByteLevelKind& kind : kGgufByteLevelKinds) {
      names += concat(names.empty() ? "" : ", ", kind.name);
    }
    return names;
  }

  void byte_level(Json& tokenizer) const {
    const GgufByteLevelKind& kind = byte_level_kind();
    tokenizer = empty_tokenizer();
    tokenizer["added_tokens"] = added_tokens();
    if (kind.nfc) tokenizer["normalizer"] = {{"type", "NFC"}};
    Json steps = Json::array();
    if (kind.individual_digits) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
    if (kind.pattern != nullptr) {
      steps.push_back({{"type", "Split"},
                       {"pattern", {{"Regex", kind.pattern}}},
                       {"behavior", "Isolated"},
                       {"invert", false}});
    }
    steps.push_back(byte_level_step(kind.pattern == nullptr));
    tokenizer["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
    tokenizer["post_processor"] =
        post_processor(flag("tokenizer.ggml.add_bos_token", kind.adds_bos),
                       flag("tokenizer.ggml.add_eos_token", false));
    tokenizer["decoder"] = {{"type", "ByteLevel"},
                            {"add_prefix_space", true},
                            {"trim_offsets", true},
                            {"use_regex", true}};
    tokenizer["model"] = model(file_merges(), &kind);
  }

  void sentence_piece(Json& tokenizer) const {
    for (const char* const key :
         {"tokenizer.ggml.precompiled_charsmap", "tokenizer.ggml.remove_extra_whitespaces"}) {
      const bool is_off = !file_.has(key) ||
                          (std::string_view(key).ends_with("whitespaces") && !file_.boolean(key));
      XKDE_CHECK(is_off, DataError, name_, ": ", key,
                 ": expected none, found a normalization that is not supported");
    }
    const bool prefixes = flag("tokenizer.ggml.add_space_prefix", true);
    tokenizer = empty_tokenizer();
    tokenizer["added_tokens"] = added_tokens();
    Json normalizers = Json::array();
    if (prefixes) normalizers.push_back({{"type", "Prepend"}, {"prepend", kGgufSpace}});
    normalizers.push_back(
        {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kGgufSpace}});
    tokenizer["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::move(normalizers)}};
    tokenizer["post_processor"] = post_processor(flag("tokenizer.ggml.add_bos_token", true),
                                                 flag("tokenizer.ggml.add_eos_token", false));
    Json decoders = Json::array();
    decoders.push_back(
        {{"type", "Replace"}, {"pattern", {{"String", kGgufSpace}}}, {"content", " "}});
    decoders.push_back({{"type", "ByteFallback"}});
    decoders.push_back({{"type", "Fuse"}});
    if (prefixes)
      decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    tokenizer["decoder"] = {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
    tokenizer["model"] =
        model(file_.has("tokenizer.ggml.merges") ? file_merges() : scored_merges(), nullptr);
  }

  Json config() const {
    Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                   {"clean_up_tokenization_spaces", false}};
    const auto add = [&](const char* key, const std::optional<size_t>& id) {
      if (id) config[key] = tokens_[*id];
    };
    add("bos_token", bos_);
    add("eos_token", eos_);
    add("unk_token", unk_);
    add("pad_token", pad_);
    for (const char* const key : {"add_bos_token", "add_eos_token"}) {
      const std::string full = concat("tokenizer.ggml.", key);
      if (file_.has(full)) config[key] = file_.boolean(full);
    }
    if (file_.has("general.architecture")) {
      const std::string key = file_.string("general.architecture") + ".context_length";
      if (file_.has(key)) config["model_max_length"] = file_.integer(key);
    }
    if (file_.has("tokenizer.chat_template"))
      config["chat_template"] = file_.string("tokenizer.chat_template");
    return config;
  }

  const GgufFile& file_;
  std::string name_;
  const std::vector<std::string>& tokens_;
  StringMap<int64_t> ids_;
  std::vector<int64_t> types_;
  std::optional<size_t> bos_;
  std::optional<size_t> eos_;
  std::optional<size_t> unk_;
  std::optional<size_t> pad_;
};

}  // namespace

TokenizerFiles tokenizer_files_from_gguf(const GgufFile& file) {
  return GgufVocabulary(file).files();
}

}  // namespace xkde
