#include "core/text/tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/text/regex/json_place.h"
#include "core/text/regex/unicode.h"
#include "core/text/tokenizer/added_tokens.h"
#include "core/text/tokenizer/bpe.h"
#include "core/text/tokenizer/gguf_vocabulary.h"
#include "core/text/tokenizer/normalizer.h"
#include "core/text/tokenizer/post_processor.h"
#include "core/text/tokenizer/pre_tokenizer.h"
#include "core/text/tokenizer/token_decoder.h"

namespace xkde {
namespace {

const Json& value_or_null(const Json& object, const char* key) {
  static const Json null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

/// A special token of tokenizer_config.json: a string, or an object with its content.
std::optional<std::string> configured_token(const JsonPlace& config, const char* key) {
  const auto token = config.find(key);
  if (!token) return std::nullopt;
  return token->is_object() ? token->at("content").string() : token->string();
}

}  // namespace

struct Tokenizer::Impl {
  Impl(const Json& tokenizer, const Json& config, const std::string& name)
      : config_json(config), model(JsonPlace(tokenizer, name).object().at("model")) {
    const JsonPlace root(tokenizer, name);
    normalizer = make_normalizer(part(root, "normalizer"));
    pre_tokenizer = make_pre_tokenizer(part(root, "pre_tokenizer"));
    decoder = make_token_decoder(part(root, "decoder"));
    added = std::make_unique<AddedTokens>(part(root, "added_tokens"), model, normalizer.get());
    read_config(root, name);
    text = tokenizer.dump();
  }

  static JsonPlace part(const JsonPlace& root, const char* key) {
    static const Json null;
    if (const auto found = root.find(key)) return *found;
    return {null, concat(root.where(), ": ", key)};
  }

  void read_config(const JsonPlace& root, const std::string& name) {
    const JsonPlace config(config_json, name + " (tokenizer_config)");
    bool adds_bos = false;
    bool adds_eos = false;
    if (!config.is_null()) {
      config.object();
      bos = special_id(config, "bos_token");
      eos = special_id(config, "eos_token");
      pad = special_id(config, "pad_token");
      adds_bos = config.boolean_or("add_bos_token", false) && bos;
      adds_eos = config.boolean_or("add_eos_token", false) && eos;
    }
    if (value_or_null(root.value(), "post_processor").is_null()) {
      using Ids = std::vector<int64_t>;
      post_processor = std::make_unique<PostProcessor>(adds_bos ? Ids{*bos} : Ids{},
                                                       adds_eos ? Ids{*eos} : Ids{});
    } else {
      post_processor = std::make_unique<PostProcessor>(part(root, "post_processor"));
    }
  }

  std::optional<int64_t> special_id(const JsonPlace& config, const char* key) const {
    const auto token = configured_token(config, key);
    if (!token) return std::nullopt;
    const auto id = id_of(*token);
    if (!id) config.at(key).fail("a token of the vocabulary");
    return id;
  }

  std::optional<int64_t> id_of(std::string_view token) const {
    if (const auto id = added->id_of(token)) return id;
    return model.id_of(token);
  }

  const std::string* token_of(int64_t id) const {
    if (const AddedToken* token = added->by_id(id)) return &token->shown;
    return model.token_of(id);
  }

  /// Text that holds no added token of the kind that is sought before normalization.
  void encode_text(Piece piece, std::vector<int64_t>& ids) const {
    if (normalizer) normalizer->apply(piece);
    for (const AddedTokenPart& section : added->split(piece.text, /*normalized=*/true)) {
      if (section.id) {
        ids.push_back(*section.id);
        continue;
      }
      const Span span = section.span;
      std::vector<Piece> pieces = {{piece.text.substr(span.begin, span.end - span.begin),
                                    piece.at_start && span.begin == 0}};
      if (pre_tokenizer) pre_tokenizer->apply(pieces);
      for (const Piece& word : pieces) model.encode(word.text, ids);
    }
  }

  std::string text;  ///< of tokenizer.json, which takes less memory than its values
  Json config_json;
  Bpe model;
  std::unique_ptr<Normalizer> normalizer;
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  std::unique_ptr<TokenDecoder> decoder;
  std::unique_ptr<AddedTokens> added;
  std::unique_ptr<PostProcessor> post_processor;
  std::optional<int64_t> bos;
  std::optional<int64_t> eos;
  std::optional<int64_t> pad;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::from_json(const Json& tokenizer, const Json& tokenizer_config,
                               const std::string& name) {
  return Tokenizer(std::make_unique<Impl>(tokenizer, tokenizer_config, name));
}

Tokenizer Tokenizer::from_gguf(const GgufFile& file) {
  const TokenizerFiles files = tokenizer_files_from_gguf(file);
  return from_json(files.tokenizer, files.config, file.path().string());
}

std::vector<int64_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  const size_t invalid = unicode::first_invalid_byte(text);
  XKDE_CHECK(invalid == std::string_view::npos, DataError,
             "text to encode: expected UTF-8, found byte ",
             static_cast<int>(static_cast<unsigned char>(text[invalid])), " at offset ", invalid);
  std::vector<int64_t> ids;
  for (const AddedTokenPart& section : impl_->added->split(text, /*normalized=*/false)) {
    if (section.id) {
      ids.push_back(*section.id);
    } else {
      const Span span = section.span;
      impl_->encode_text(
          {std::string(text.substr(span.begin, span.end - span.begin)), span.begin == 0}, ids);
    }
  }
  return add_special_tokens ? impl_->post_processor->apply(std::move(ids)) : ids;
}

std::vector<int64_t> Tokenizer::encode_beginning(std::string_view text) const {
  std::vector<int64_t> ids = impl_->post_processor->before();
  const std::vector<int64_t> own = encode(text);
  ids.insert(ids.end(), own.begin(), own.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const int64_t> ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const int64_t id : ids) {
    XKDE_CHECK(id >= 0, DataError, "ids to decode: expected none below 0, found ", id);
    const std::string* token = impl_->token_of(id);
    if (token == nullptr || (skip_special_tokens && impl_->added->is_special(*token))) continue;
    tokens.push_back(*token);
  }
  if (impl_->decoder) impl_->decoder->apply(tokens);
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!impl_->decoder && i > 0) text += ' ';
    text += tokens[i];
  }
  return text;
}

std::optional<int64_t> Tokenizer::token_to_id(std::string_view token) const {
  return impl_->id_of(token);
}

std::optional<std::string> Tokenizer::id_to_token(int64_t id) const {
  const std::string* token = impl_->token_of(id);
  return token == nullptr ? std::nullopt : std::optional(*token);
}

int64_t Tokenizer::vocab_size() const {
  return std::max(impl_->model.largest_id(), impl_->added->largest_id()) + 1;
}

Tokenizer::LargestId Tokenizer::largest_id() const {
  int64_t id = std::max(impl_->model.largest_given_id(), impl_->added->largest_id());
  id = std::max(id, impl_->post_processor->largest_id());
  for (const auto& special : {impl_->bos, impl_->eos, impl_->pad}) {
    id = std::max(id, special.value_or(-1));
  }
  const std::string* token = impl_->token_of(id);
  return {id, token == nullptr ? "" : *token};
}

std::optional<int64_t> Tokenizer::bos_id() const { return impl_->bos; }
std::optional<int64_t> Tokenizer::eos_id() const { return impl_->eos; }
std::optional<int64_t> Tokenizer::pad_id() const { return impl_->pad; }

Json Tokenizer::to_tokenizer_json() const { return parse_json(impl_->text, "tokenizer.json"); }

Json Tokenizer::to_tokenizer_config() const {
  if (impl_->config_json.is_null()) return {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  return impl_->config_json;
}

}  // namespace xkde
