#include "core/memory/embed_texts.h"

#include <algorithm>
#include <unordered_map>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/io/sha256.h"
#include "core/model/encoders/encoder_files.h"

namespace xkde {

TextBlocks::TextBlocks(std::span<const std::string> texts, int64_t block_bytes) {
  std::unordered_map<std::string_view, int64_t> first_of;
  std::vector<std::string_view> order;
  for (const std::string& text : texts) {
    const auto [place, fresh] = first_of.try_emplace(text, std::ssize(order));
    if (fresh) order.push_back(text);
    row_of_text_.push_back(place->second);
  }
  std::stable_sort(order.begin(), order.end(), [](auto a, auto b) { return a.size() < b.size(); });
  for (size_t i = 0; i < order.size(); ++i) first_of[order[i]] = static_cast<int64_t>(i);
  for (size_t i = 0; i < texts.size(); ++i) row_of_text_[i] = first_of[texts[i]];
  distinct_.assign(order.begin(), order.end());
  int64_t bytes = block_bytes;
  for (int64_t i = 0; i < distinct(); ++i) {
    bytes += std::ssize(distinct_[static_cast<size_t>(i)]) + 1;
    if (bytes <= block_bytes) continue;
    begins_.push_back(i);
    bytes = std::ssize(distinct_[static_cast<size_t>(i)]) + 1;
  }
  begins_.push_back(distinct());
}

at::Tensor TextBlocks::embed(const SentenceEncoder& encoder, int64_t first, int64_t last) const {
  const int64_t row = begin(first);
  at::Tensor rows = at::empty({begin(last) - row, encoder.width()}, at::kFloat);
  // Work that one thread alone would do is not marked as parallel, and its products would then use
  // all threads: with as many parts as threads, and at least two, each part has one.
  const int64_t parts = std::max<int64_t>(last - first, at::get_num_threads());
  at::parallel_for(0, parts, 1, [&](int64_t from, int64_t to) {
    for (int64_t block = first + from; block < std::min(first + to, last); ++block) {
      const int64_t begins = begin(block);
      const int64_t count = begin(block + 1) - begins;
      const auto texts =
          std::span(distinct_).subspan(static_cast<size_t>(begins), static_cast<size_t>(count));
      rows.narrow(0, begins - row, count).copy_(encoder.embed(texts));
    }
  });
  return rows;
}

at::Tensor TextBlocks::spread(const at::Tensor& distinct_rows) const {
  return distinct_rows.index_select(0, at::tensor(row_of_text_, at::kLong));
}

at::Tensor embed_texts(const SentenceEncoder& encoder, std::span<const std::string> texts) {
  const TextBlocks blocks(texts);
  return blocks.spread(blocks.embed(encoder, 0, blocks.size()));
}

std::string encoder_identity(const std::filesystem::path& folder) {
  Sha256 digest;
  for (const std::filesystem::path& file : sentence_encoder_files(folder)) {
    const std::string line =
        sha256_of_file(file) + "  " + file.lexically_relative(folder).generic_string() + "\n";
    digest.update(line.data(), line.size());
  }
  return digest.hex();
}

}  // namespace xkde
