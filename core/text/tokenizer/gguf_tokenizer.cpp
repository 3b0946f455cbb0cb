#include "core/text/tokenizer/gguf_tokenizer.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "core/text/tokenizer/bpe.h"
#include "core/text/tokenizer/gguf_kinds.h"
#include "core/text/tokenizer/sentencepiece_vocabulary.h"

namespace xkde {
namespace {

constexpr const char* kPlace = "GGUF tokenizer: ";

const Json& part(const Json& object, const char* key) {
  static const Json null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

/// The steps of a normalizer or pre-tokenizer, those of nested sequences among them.
void add_steps(const Json& step, std::vector<Json>& steps) {
  if (step.is_null()) return;
  if (step.value("type", "") != "Sequence") {
    steps.push_back(step);
    return;
  }
  for (const char* key : {"normalizers", "pretokenizers"}) {
    for (const Json& inner : part(step, key)) add_steps(inner, steps);
  }
}

std::vector<Json> steps_of(const Json& step) {
  std::vector<Json> steps;
  add_steps(step, steps);
  return steps;
}

bool is_a(const Json& step, std::string_view type) { return step.value("type", "") == type; }

std::string types_of(const std::vector<Json>& steps) {
  std::vector<std::string> types;
  for (const Json& step : steps) types.push_back(step.value("type", "?"));
  return types.empty() ? "none" : fmt::format("{}", fmt::join(types, ", "));
}

[[noreturn]] void refuse(const std::string& expected, const std::string& found) {
  throw ConfigError(concat(kPlace, "expected ", expected, ", found ", found, kGgufWayOut));
}

using Merge = std::pair<std::string, std::string>;

std::vector<Merge> merges_in(const Json& model) {
  std::vector<Merge> merges;
  for (const Json& merge : part(model, "merges")) {
    if (merge.is_array()) {
      merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    const std::string text = merge.get<std::string>();
    const size_t blank = text.find(' ');
    merges.emplace_back(text.substr(0, blank), text.substr(blank + 1));
  }
  return merges;
}

class GgufTokenizer {
 public:
  GgufTokenizer(const Tokenizer& tokenizer, const GgufModelIds& ids)
      : tokenizer_(tokenizer),
        ids_(ids),
        json_(tokenizer.to_tokenizer_json()),
        model_(json_["model"]),
        normalizers_(steps_of(part(json_, "normalizer"))),
        splits_(steps_of(part(json_, "pre_tokenizer"))),
        merges_(merges_in(model_)) {
    const int64_t size = std::max(ids.rows, tokenizer.vocab_size());
    tokens_.resize(static_cast<size_t>(size));
    types_.assign(tokens_.size(), kGgufNormal);
    read_tokens();
    fill_holes();
  }

  /// Returns what is left out.
  std::vector<std::string> write(GgufMetadata& metadata) {
    const bool is_byte_level =
        std::ranges::any_of(splits_, [](const Json& step) { return is_a(step, "ByteLevel"); });
    if (is_byte_level) {
      write_byte_level(metadata);
    } else {
      write_sentence_piece(metadata);
    }
    write_ids(metadata);
    return left_out_;
  }

 private:
  void read_tokens() {
    for (const auto& [token, id] : model_["vocab"].items()) tokens_[id.get<size_t>()] = token;
    const Json& unknown = part(model_, "unk_token");
    std::vector<std::string> others;
    for (const Json& token : part(json_, "added_tokens")) {
      const auto id = token["id"].get<size_t>();
      tokens_[id] = token["content"].get<std::string>();
      types_[id] = token.value("special", false) ? kGgufControl : kGgufUserDefined;
      const bool says_more = token.value("lstrip", false) || token.value("rstrip", false) ||
                             token.value("single_word", false);
      if (says_more) others.push_back(tokens_[id]);
    }
    if (unknown.is_string()) {
      if (const auto id = tokenizer_.token_to_id(unknown.get<std::string>())) {
        unknown_ = *id;
        types_[static_cast<size_t>(*id)] = kGgufUnknown;
      }
    }
    if (!others.empty()) {
      left_out_.push_back(fmt::format(
          "{}left out that these tokens take white space with them or stand for whole words, which "
          "no key says: {}",
          kPlace, fmt::join(others, ", ")));
    }
  }

  /// Rows that have no token.
  void fill_holes() {
    const std::set<std::string> known(tokens_.begin(), tokens_.end());
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (!tokens_[i].empty()) continue;
      tokens_[i] = concat("[PAD", i, "]");
      while (known.contains(tokens_[i])) tokens_[i] += "_";
      types_[i] = kGgufUnused;
    }
  }

  const GgufByteLevelKind& byte_level_kind() const {
    bool digits = false;
    std::optional<std::string> pattern;
    bool is_plain = true;
    bool uses_regex = true;
    for (const Json& step : splits_) {
      if (is_a(step, "Digits")) {
        digits = true;
        is_plain = is_plain && step.value("individual_digits", false);
      } else if (is_a(step, "Split")) {
        is_plain = is_plain && !pattern && step.value("behavior", "") == "Isolated" &&
                   !step.value("invert", false);
        pattern = part(part(step, "pattern"), "Regex").is_string()
                      ? step["pattern"]["Regex"].get<std::string>()
                      : "";
      } else if (is_a(step, "ByteLevel")) {
        uses_regex = step.value("use_regex", true);
        is_plain = is_plain && !step.value("add_prefix_space", true);
      } else {
        is_plain = false;
      }
    }
    const bool nfc = normalizers_.size() == 1 && is_a(normalizers_[0], "NFC");
    is_plain = is_plain && uses_regex == !pattern && (nfc || normalizers_.empty());
    for (const GgufByteLevelKind& kind : kGgufByteLevelKinds) {
      const bool same_pattern =
          kind.pattern == nullptr ? !pattern : pattern && *pattern == kind.pattern;
      if (is_plain && same_pattern && kind.individual_digits == digits && kind.nfc == nfc &&
          kind.ignore_merges == model_.value("ignore_merges", false)) {
        return kind;
      }
    }
    std::vector<std::string_view> names;
    for (const GgufByteLevelKind& kind : kGgufByteLevelKinds) names.push_back(kind.name);
    refuse(fmt::format("a byte-level split that {} knows ({})", kGgufPre, fmt::join(names, ", ")),
           fmt::format("another one (normalizer: {}; pre_tokenizer: {})", types_of(normalizers_),
                       types_of(splits_)));
  }

  void write_byte_level(GgufMetadata& metadata) {
    const GgufByteLevelKind& kind = byte_level_kind();
    metadata.text("tokenizer.ggml.model", "gpt2");
    metadata.text(kGgufPre, kind.name);
    metadata.texts("tokenizer.ggml.tokens", tokens_);
    metadata.integers("tokenizer.ggml.token_type", types_);
    write_merges(metadata);
  }

  void write_merges(GgufMetadata& metadata) const {
    std::vector<std::string> merges;
    for (const auto& [left, right] : merges_) {
      if ((left + right).find(' ') != std::string::npos) {
        refuse("merges of tokens without blanks", fmt::format("\"{}{}\"", left, right));
      }
      merges.push_back(left + " " + right);
    }
    metadata.texts("tokenizer.ggml.merges", merges);
  }

  /// Whether a blank is put in front of a text; refuses other steps.
  bool puts_blank_in_front() {
    const auto is_replace = [](const Json& step) {
      return is_a(step, "Replace") && part(part(step, "pattern"), "String") == " " &&
             part(step, "content") == kGgufSpace;
    };
    const auto is_prepend = [](const Json& step) {
      return is_a(step, "Prepend") && part(step, "prepend") == kGgufSpace;
    };
    const bool replaces = !normalizers_.empty() && is_replace(normalizers_.back());
    const bool prepends = normalizers_.size() == 2 && is_prepend(normalizers_.front());
    // A split at blanks that are no longer there.
    const bool splits_nothing =
        splits_.empty() || (splits_.size() == 1 && is_a(splits_[0], "Split") &&
                            part(part(splits_[0], "pattern"), "String") == " ");
    if (replaces && splits_nothing && (normalizers_.size() == 1 || prepends)) return prepends;
    const bool is_metaspace =
        normalizers_.empty() && splits_.size() == 1 && is_a(splits_[0], "Metaspace") &&
        part(splits_[0], "replacement") == kGgufSpace && !splits_[0].value("split", true);
    if (!is_metaspace) {
      refuse("byte-level BPE, or SentencePiece BPE that only replaces blanks",
             fmt::format("normalizer: {}; pre_tokenizer: {}", types_of(normalizers_),
                         types_of(splits_)));
    }
    const std::string scheme = splits_[0].value("prepend_scheme", "always");
    const bool prefixes = scheme != "never" && splits_[0].value("add_prefix_space", true);
    if (prefixes) {
      left_out_.push_back(concat(kPlace,
                                 "readers put a blank in front of every text between special "
                                 "tokens, also of one that begins with a blank, as GGUF files have "
                                 "no other way"));
    }
    return prefixes;
  }

  static bool is_byte(const std::string& token) {
    return token.size() == 6 && token.starts_with("<0x") && token.ends_with(">");
  }

  void write_sentence_piece(GgufMetadata& metadata) {
    const bool prefix = puts_blank_in_front();
    if (!model_.value("byte_fallback", false)) {
      refuse("a SentencePiece model that spells unknown characters in bytes", "one that does not");
    }
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (types_[i] == kGgufNormal && is_byte(tokens_[i])) types_[i] = kGgufByte;
    }
    const std::vector<float> scores = find_scores();
    metadata.text("tokenizer.ggml.model", "llama");
    metadata.text(kGgufPre, "default");
    metadata.texts("tokenizer.ggml.tokens", tokens_);
    metadata.reals("tokenizer.ggml.scores", scores);
    metadata.integers("tokenizer.ggml.token_type", types_);
    if (needs_merges_) write_merges(metadata);
    metadata.flag("tokenizer.ggml.add_space_prefix", prefix);
  }

  /// SentencePiece joins the neighbours whose piece scores best: a piece that is joined earlier has
  /// the higher score.
  std::vector<float> find_scores() {
    std::unordered_map<std::string, size_t> ranks;
    for (size_t i = 0; i < merges_.size(); ++i) {
      ranks.try_emplace(merges_[i].first + merges_[i].second, i);
    }
    std::vector<float> scores(tokens_.size(), 0.0F);
    std::vector<double> by_token(tokens_.size(), static_cast<double>(merges_.size()));
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const auto found = ranks.find(tokens_[i]);
      if (found != ranks.end()) by_token[i] = static_cast<double>(found->second);
      if (types_[i] == kGgufNormal) scores[i] = -static_cast<float>(by_token[i]);
    }
    check_scores(by_token);
    return scores;
  }

  /// The scores must give every merge and no other.
  void check_scores(const std::vector<double>& ranks) {
    std::set<Merge> left(merges_.begin(), merges_.end());
    for (const bool with_added : {false, true}) {
      std::vector<bool> takes_part;
      for (const int32_t type : types_) {
        takes_part.push_back(type == kGgufNormal || (with_added && type == kGgufUserDefined));
      }
      const std::vector<Merge> given = merges_in(
          {{"merges", merges_of_pieces(tokens_, takes_part, ranks, CutOrder::kLongLeftFirst,
                                       "GGUF tokenizer: tokens")}});
      needs_merges_ = with_added || given != merges_;
      if (std::set<Merge>(given.begin(), given.end()) == left) return;
    }
    refuse("merges that follow from the scores of pieces, as SentencePiece has them", "others");
  }

  void write_ids(GgufMetadata& metadata) {
    const auto write = [&](const char* kind, const std::optional<int64_t>& id) {
      if (id) metadata.count(fmt::format("tokenizer.ggml.{}_token_id", kind), *id);
    };
    // What only config.json says: readers take such a token for a special one.
    const auto or_model = [&](const std::optional<int64_t>& id, int64_t other) {
      const bool is_special = other >= 0 && other < std::ssize(types_) &&
                              types_[static_cast<size_t>(other)] == kGgufControl;
      return id || !is_special ? id : other;
    };
    const auto bos = or_model(tokenizer_.bos_id(), ids_.bos);
    const auto eos = or_model(tokenizer_.eos_id(), ids_.eos);
    write("bos", bos);
    write("eos", eos);
    write_ends(metadata, eos);
    write("unknown", unknown_);
    write("padding", or_model(tokenizer_.pad_id(), ids_.pad));
    using Ids = std::vector<int64_t>;
    const Ids around = tokenizer_.encode("", /*add_special_tokens=*/true);
    const bool adds_bos = bos && !around.empty() && around.front() == *bos;
    const bool adds_eos = eos && around.size() == (adds_bos ? 2U : 1U) && around.back() == *eos;
    if (around.size() != static_cast<size_t>(adds_bos) + static_cast<size_t>(adds_eos)) {
      refuse("no special tokens around a text, or BOS and EOS",
             fmt::format("ids {}", fmt::join(around, ", ")));
    }
    metadata.flag("tokenizer.ggml.add_bos_token", adds_bos);
    metadata.flag("tokenizer.ggml.add_eos_token", adds_eos);
  }

  void write_ends(GgufMetadata& metadata, const std::optional<int64_t>& eos) {
    std::vector<int64_t> others;
    for (const int64_t id : ids_.ends) {
      if (id != eos && std::ranges::find(others, id) == others.end()) others.push_back(id);
    }
    const size_t kept = std::min(others.size(), kGgufEndKeys.size());
    for (size_t i = 0; i < kept; ++i) metadata.count(kGgufEndKeys[i], others[i]);
    if (kept == others.size()) return;
    others.erase(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(kept));
    left_out_.push_back(
        fmt::format("{}left out that these ids end an answer, which no key says: {}", kPlace,
                    fmt::join(others, ", ")));
  }

  const Tokenizer& tokenizer_;
  GgufModelIds ids_;
  Json json_;
  const Json& model_;
  std::vector<Json> normalizers_;
  std::vector<Json> splits_;
  std::vector<Merge> merges_;
  std::vector<std::string> tokens_;
  std::vector<int32_t> types_;
  std::optional<int64_t> unknown_;
  bool needs_merges_ = false;
  std::vector<std::string> left_out_;
};

}  // namespace

std::vector<std::string> add_gguf_tokenizer(const Tokenizer& tokenizer, const GgufModelIds& ids,
                                            GgufMetadata& metadata) {
  return GgufTokenizer(tokenizer, ids).write(metadata);
}

}  // namespace xkde
