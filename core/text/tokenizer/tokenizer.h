#ifndef XKDE_CORE_TEXT_TOKENIZER_TOKENIZER_H_
#define XKDE_CORE_TEXT_TOKENIZER_TOKENIZER_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/gguf.h"
#include "core/io/json_file.h"

namespace xkde {

/// Text to token ids and back, id for id as the Hugging Face `tokenizers` library: added tokens,
/// normalizer, pre-tokenizer, BPE (byte-level or byte-fallback), post-processor, decoder.
/// Immutable, thread-safe. A file's truncation and padding are not applied: lengths are the
/// caller's business.
class Tokenizer {
 public:
  /// Throws MissingInputError or DataError (file, JSON path, expected, found); a component that is
  /// not known is an error, never skipped. `tokenizer_config` (may be null) gives bos/eos/pad and,
  /// for a tokenizer.json without a post-processor, add_bos_token/add_eos_token; a post-processor
  /// of the file decides alone, as in the library.
  static Tokenizer from_json(const Json& tokenizer, const Json& tokenizer_config,
                             const std::string& name);
  /// From the metadata of a GGUF file: see gguf_vocabulary.h.
  static Tokenizer from_gguf(const GgufFile& file);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// `add_special_tokens`: the post-processor's BOS/EOS. Invalid UTF-8 is a DataError.
  std::vector<int64_t> encode(std::string_view text, bool add_special_tokens = false) const;
  /// As above with what the post-processor puts before a text, such as BOS, and nothing behind it.
  std::vector<int64_t> encode_beginning(std::string_view text) const;
  /// Ids without a token are left out, as in the library; an id below 0 is a DataError.
  std::string decode(std::span<const int64_t> ids, bool skip_special_tokens = true) const;
  std::optional<int64_t> token_to_id(std::string_view token) const;
  /// The token as the vocabulary spells it; an added one as it decodes. Nothing: no such id.
  std::optional<std::string> id_to_token(int64_t id) const;
  int64_t vocab_size() const;  ///< largest id + 1, added tokens included
  /// The largest of the ids that a text can give, special ones around it included, and its token:
  /// a vocabulary may have tokens that no merge makes. Id -1: there is none.
  struct LargestId {
    int64_t id = -1;
    std::string token;
  };
  LargestId largest_id() const;
  std::optional<int64_t> bos_id() const;
  std::optional<int64_t> eos_id() const;
  std::optional<int64_t> pad_id() const;

  /// A tokenizer.json and a tokenizer_config.json from which `tokenizers` / `transformers` build an
  /// equal tokenizer.
  Json to_tokenizer_json() const;
  Json to_tokenizer_config() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_TOKENIZER_H_
