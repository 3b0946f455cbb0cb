#ifndef XKDE_CORE_MODEL_ENCODERS_SENTENCE_ENCODER_H_
#define XKDE_CORE_MODEL_ENCODERS_SENTENCE_ENCODER_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace xkde {

/// A sentence encoder of the BERT, XLM-RoBERTa or MPNet kind (MiniLM, multilingual MiniLM, E5,
/// multi-qa-mpnet-base-dot-v1, ...): text to one vector, fp32 on the CPU. Texts are packed row
/// after row without padding. Immutable, thread-safe. Source: arXiv:1810.04805, arXiv:1911.02116,
/// arXiv:2004.09297, arXiv:1908.10084.
class SentenceEncoder {
 public:
  /// From a Hugging Face folder: config.json (model_type bert, xlm-roberta or mpnet),
  /// safetensors weights, sentencepiece.bpe.model or else tokenizer.json (WordPiece, or Unigram as
  /// unigram_json.h takes it) or vocab.txt. Of sentence-transformers' files, where there:
  /// modules.json with the model's folder, its pooling (mean or cls; mean without it) and
  /// normalization, sentence_bert_config.json with the longest text in tokens and lower-casing,
  /// tokenizer_config.json with the longest text where that file has none, and the prompts of
  /// config_sentence_transformers.json.
  /// Throws MissingInputError, or DataError (file, place, expected, found), for other modules too.
  static SentenceEncoder open(const std::filesystem::path& folder);
  /// Throws what open() would, but reads no weights.
  static void check(const std::filesystem::path& folder);
  SentenceEncoder(SentenceEncoder&&) noexcept;
  SentenceEncoder& operator=(SentenceEncoder&&) noexcept;
  ~SentenceEncoder();

  /// What a text is to the encoder: sentence-transformers' encode(), encode_query() and
  /// encode_document().
  enum class Role { kText, kQuery, kDocument };
  /// The prompt that the encoder's folder has for that role, else nothing.
  const std::string& prompt(Role role) const;
  /// Each text behind such a prompt, to be embedded.
  static std::vector<std::string> prompted(const std::string& prompt,
                                           std::span<const std::string> texts);

  /// fp32 [N, D], one row for each text as it stands; a text that is too long is cut off. Invalid
  /// UTF-8 is a DataError. A row depends on its text only, up to rounding.
  at::Tensor embed(std::span<const std::string> texts, int64_t max_tokens_per_batch = 1024) const;
  std::vector<int64_t> token_ids(const std::string& text) const;
  int64_t width() const noexcept;

 private:
  struct Impl;
  explicit SentenceEncoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_ENCODERS_SENTENCE_ENCODER_H_
