#include "distributed/memory_search/embed_texts.h"

#include <cstring>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/memory/embed_texts.h"

namespace xkde::dist {

at::Tensor embed_texts(const SentenceEncoder& encoder, std::span<const std::string> texts,
                       Communicator& comm) {
  const TextBlocks blocks(texts);
  // Consecutive blocks of a rank's share make one run of rows. Blocks are alike in bytes.
  const auto share = [&](int64_t rank) { return blocks.size() * rank / comm.size(); };
  const at::Tensor own = blocks.embed(encoder, share(comm.rank()), share(comm.rank() + 1));
  const auto own_bytes = static_cast<size_t>(own.numel()) * sizeof(float);
  const auto parts = comm.all_gather_bytes(
      {reinterpret_cast<const char*>(own.const_data_ptr<float>()), own_bytes});
  at::Tensor rows = at::empty({blocks.distinct(), encoder.width()}, at::kFloat);
  auto* to = reinterpret_cast<char*>(rows.mutable_data_ptr<float>());
  auto left = static_cast<size_t>(rows.numel()) * sizeof(float);
  for (const std::string& part : parts) {
    XKDE_CHECK(part.size() <= left, CommError, "embed_texts: expected ", left,
               " more bytes of embeddings, found ", part.size(), ": the ranks' texts differ");
    std::memcpy(to, part.data(), part.size());
    to += part.size();
    left -= part.size();
  }
  XKDE_CHECK(left == 0, CommError, "embed_texts: expected ", left,
             " more bytes of embeddings, found none: the ranks' texts differ");
  return blocks.spread(rows);
}

}  // namespace xkde::dist
