#ifndef XKDE_CORE_MEMORY_EMBED_TEXTS_H_
#define XKDE_CORE_MEMORY_EMBED_TEXTS_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/encoders/sentence_encoder.h"

namespace xkde {

/// Texts in blocks that one thread embeds at a time. The blocks follow from the list of texts only,
/// so that a text's embedding has the same bits however many threads or ranks share the blocks:
/// the rounding of a product can depend on what it is computed beside and on its threads.
class TextBlocks {
 public:
  /// Distinct texts in order of their length in bytes, cut where a block would hold more than
  /// `block_bytes`. Views into `texts`, which live as long as this.
  explicit TextBlocks(std::span<const std::string> texts, int64_t block_bytes = 4096);

  int64_t size() const noexcept { return std::ssize(begins_) - 1; }
  /// Of the distinct texts: [begin(block), begin(block + 1)) is a block.
  int64_t begin(int64_t block) const { return begins_[static_cast<size_t>(block)]; }
  int64_t distinct() const noexcept { return std::ssize(distinct_); }

  /// fp32 [begin(last) - begin(first), width]: the embeddings of blocks [first, last), by the
  /// threads of at::parallel_for. Throws what the encoder throws.
  at::Tensor embed(const SentenceEncoder& encoder, int64_t first, int64_t last) const;
  /// Rows of the distinct texts [distinct(), width] -> rows of all texts [texts.size(), width].
  at::Tensor spread(const at::Tensor& distinct_rows) const;

 private:
  std::vector<std::string> distinct_;
  std::vector<int64_t> begins_;
  std::vector<int64_t> row_of_text_;
};

/// fp32 [texts.size(), encoder.width()]: each distinct text is embedded once. Equal lists give
/// equal bits; distributed/memory_search/embed_texts.h shares the work among ranks and gives the
/// same.
at::Tensor embed_texts(const SentenceEncoder& encoder, std::span<const std::string> texts);

/// Says which encoder embeddings come from: the SHA-256 of its files' names and contents, as 64
/// hexadecimal digits. Throws as SentenceEncoder::open does for files that are missing.
std::string encoder_identity(const std::filesystem::path& folder);

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_EMBED_TEXTS_H_
